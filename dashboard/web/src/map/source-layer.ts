// All sources on one canvas: clusters while they would lie on each other, then each by itself. Drawn by hand, because
// 13,000 features of a vector layer cost a tenth of a second a frame without a graphics card.

import type { FrameState } from 'ol/Map';
import Layer from 'ol/layer/Layer';
import Source from 'ol/source/Source';
import type { SourceState } from '../api/types.gen';
import type { MapColours } from './colours';
import { clustersOf, isFault, type Cluster, type Point } from './clusters';

/** Width of a cluster's cell in pixels. */
const CELL_PX = 56;
/** Below this resolution (metres a pixel) nothing is clustered any more. */
const SINGLE_TO = 0.75;

export interface Hit {
  points: Point[];
  x: number;
  y: number;
}

export class SourceLayer extends Layer {
  #points: Point[] = [];
  #stateOf: (id: string) => SourceState = () => 'unknown';
  #colours: MapColours;
  #shown: (point: Point) => boolean = () => true;
  #clusters: { cell: number; clusters: Cluster[] } | undefined;
  #rings = new Set<string>();
  #canvas = document.createElement('canvas');
  /** What the last frame drew, in pixels, for the pointer. */
  #drawn: { x: number; y: number; r: number; points: Point[] }[] = [];

  constructor(colours: MapColours) {
    super({ source: new Source({}) });
    this.#colours = colours;
    Object.assign(this.#canvas.style, { position: 'absolute', inset: '0', pointerEvents: 'none' });
  }

  setPoints(points: Point[], stateOf: (id: string) => SourceState): void {
    this.#points = points;
    this.#stateOf = stateOf;
    this.#clusters = undefined;
    this.changed();
  }

  paint(colours: MapColours): void {
    this.#colours = colours;
    this.changed();
  }

  /** Which sources are drawn. */
  show(shown: (point: Point) => boolean): void {
    this.#shown = shown;
    this.#clusters = undefined;
    this.changed();
  }

  /** Sources with a ring around them, as those near the selected incident. */
  ring(ids: Iterable<string>): void {
    this.#rings = new Set(ids);
    this.changed();
  }

  hit(x: number, y: number): Hit | undefined {
    let best: Hit | undefined;
    let nearest = Infinity;
    for (const drawn of this.#drawn) {
      const distance = Math.hypot(drawn.x - x, drawn.y - y);
      if (distance < Math.max(drawn.r, 12) && distance < nearest) {
        nearest = distance;
        best = { points: drawn.points, x: drawn.x, y: drawn.y };
      }
    }
    return best;
  }

  #clustersAt(resolution: number): Cluster[] {
    // Halves of a zoom step share their clusters, so that they do not swim while zooming.
    const cell = resolution < SINGLE_TO ? 0 : CELL_PX * 2 ** (Math.round(Math.log2(resolution) * 2) / 2);
    if (this.#clusters?.cell !== cell) {
      const points = this.#points.filter(this.#shown);
      const clusters = cell === 0 ? points.map((point) => ({ x: point.x, y: point.y, points: [point] })) : clustersOf(points, cell);
      this.#clusters = { cell, clusters };
    }
    return this.#clusters.clusters;
  }

  override render(frame: FrameState): HTMLElement {
    const [width, height] = frame.size as [number, number];
    const ratio = frame.pixelRatio;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext('2d');
    if (!context) return canvas;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#drawn = [];
    const [a, b, c, d, e, f] = frame.coordinateToPixelTransform as [number, number, number, number, number, number];
    for (const cluster of this.#clustersAt(frame.viewState.resolution)) {
      const x = a * cluster.x + c * cluster.y + e;
      const y = b * cluster.x + d * cluster.y + f;
      if (x < -30 || y < -30 || x > width + 30 || y > height + 30) continue;
      const only = cluster.points[0];
      if (cluster.points.length === 1 && only) this.#single(context, x, y, only);
      else this.#cluster(context, x, y, cluster.points);
    }
    return canvas;
  }

  #cluster(context: CanvasRenderingContext2D, x: number, y: number, points: Point[]): void {
    const colours = this.#colours;
    let faults = 0;
    let ringed = false;
    for (const point of points) {
      if (isFault(this.#stateOf(point.id))) faults += 1;
      ringed ||= this.#rings.has(point.id);
    }
    const count = points.length;
    const r = 9 + Math.min(10, Math.log10(count) * 4.5);
    this.#drawn.push({ x, y, r, points });
    context.beginPath();
    context.arc(x, y, r, 0, Math.PI * 2);
    context.fillStyle = colours.panel;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = colours.sourceSoft;
    context.stroke();
    if (faults > 0) {
      // The share with a fault, as a dark arc from the top.
      context.beginPath();
      context.arc(x, y, r - 0.5, -Math.PI / 2, -Math.PI / 2 + Math.max(0.35, (faults / count) * Math.PI * 2));
      context.lineWidth = 4;
      context.strokeStyle = colours.source;
      context.stroke();
    }
    if (ringed) this.#ring(context, x, y, r + 4);
    context.fillStyle = colours.source;
    context.font = `600 ${count > 99 ? 10.5 : 11.5}px "DejaVu Sans", Verdana, sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(count > 9999 ? `${Math.round(count / 1000)}k` : String(count), x, y + 0.5);
  }

  #single(context: CanvasRenderingContext2D, x: number, y: number, point: Point): void {
    const colours = this.#colours;
    const state = this.#stateOf(point.id);
    const live = state === 'live' || state === 'degraded';
    this.#drawn.push({ x, y, r: 10, points: [point] });
    context.lineWidth = 1.75;
    context.strokeStyle = live || isFault(state) ? colours.source : colours.sourceSoft;
    context.fillStyle = live ? colours.source : colours.panel;
    if (point.kind === 'camera') {
      if (point.bearing !== undefined) {
        // The view: a wedge of 60 degrees towards the bearing.
        const middle = ((point.bearing - 90) * Math.PI) / 180;
        context.beginPath();
        context.moveTo(x, y);
        context.arc(x, y, 18, middle - Math.PI / 6, middle + Math.PI / 6);
        context.closePath();
        context.globalAlpha = 0.28;
        const fill = context.fillStyle;
        context.fillStyle = colours.source;
        context.fill();
        context.fillStyle = fill;
        context.globalAlpha = 1;
      }
      context.beginPath();
      context.arc(x, y, 5.5, 0, Math.PI * 2);
    } else {
      context.beginPath();
      context.moveTo(x, y - 6.5);
      context.lineTo(x + 6.5, y);
      context.lineTo(x, y + 6.5);
      context.lineTo(x - 6.5, y);
      context.closePath();
    }
    context.fill();
    context.stroke();
    if (isFault(state)) {
      context.beginPath();
      context.moveTo(x - 7, y - 7);
      context.lineTo(x + 7, y + 7);
      context.moveTo(x + 7, y - 7);
      context.lineTo(x - 7, y + 7);
      context.lineWidth = 2;
      context.stroke();
    }
    if (this.#rings.has(point.id)) this.#ring(context, x, y, 11);
  }

  #ring(context: CanvasRenderingContext2D, x: number, y: number, r: number): void {
    context.beginPath();
    context.arc(x, y, r, 0, Math.PI * 2);
    context.lineWidth = 2;
    context.strokeStyle = this.#colours.ink;
    context.stroke();
  }
}
