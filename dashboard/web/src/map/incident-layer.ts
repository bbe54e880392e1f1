// Open incidents on a small canvas of their own, above everything: a new alarm redraws a few shapes, not the town.

import type { FrameState } from 'ol/Map';
import Layer from 'ol/layer/Layer';
import Source from 'ol/source/Source';
import type { Level } from '../api/types.gen';
import { NUMERAL, SHAPE } from '../components/LevelMark.svelte';
import type { MapColours } from './colours';

export interface Mark {
  id: string;
  level: Level;
  acknowledged: boolean;
  x: number;
  y: number;
  /** The place is that of the grid, not of the incident. */
  vague: boolean;
}

const SIZE = 30;
const GRAVITY: Record<Level, number> = { red: 3, orange: 2, yellow: 1, blue: 0 };

export class IncidentLayer extends Layer {
  #marks: Mark[] = [];
  #selected = '';
  #colours: MapColours;
  #canvas = document.createElement('canvas');
  #drawn: { x: number; y: number; id: string }[] = [];
  #shapes = new Map<Level, Path2D>();

  constructor(colours: MapColours) {
    super({ source: new Source({}) });
    this.#colours = colours;
    Object.assign(this.#canvas.style, { position: 'absolute', inset: '0', pointerEvents: 'none' });
  }

  setMarks(marks: Mark[], selected: string): void {
    // The gravest and the selected are drawn last, above the others.
    this.#marks = [...marks].sort((a, b) => Number(a.id === selected) - Number(b.id === selected) || GRAVITY[a.level] - GRAVITY[b.level]);
    this.#selected = selected;
    this.changed();
  }

  paint(colours: MapColours): void {
    this.#colours = colours;
    this.changed();
  }

  hit(x: number, y: number): string | undefined {
    for (const mark of [...this.#drawn].reverse()) if (Math.hypot(mark.x - x, mark.y - y) < SIZE * 0.6) return mark.id;
    return undefined;
  }

  override render(frame: FrameState): HTMLElement {
    const [width, height] = frame.size as [number, number];
    const ratio = frame.pixelRatio;
    const canvas = this.#canvas;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext('2d');
    if (!context) return canvas;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [a, b, c, d, e, f] = frame.coordinateToPixelTransform as [number, number, number, number, number, number];
    this.#drawn = [];
    for (const mark of this.#marks) {
      const x = a * mark.x + c * mark.y + e;
      const y = b * mark.x + d * mark.y + f;
      if (x < -SIZE || y < -SIZE || x > width + SIZE || y > height + SIZE) continue;
      this.#mark(context, x, y, mark);
      this.#drawn.push({ x, y, id: mark.id });
    }
    return canvas;
  }

  #mark(context: CanvasRenderingContext2D, x: number, y: number, mark: Mark): void {
    const { fill, on, edge } = this.#colours.level[mark.level];
    const selected = mark.id === this.#selected;
    if (selected) {
      context.beginPath();
      context.arc(x, y, SIZE * 0.86, 0, Math.PI * 2);
      context.lineWidth = 6;
      context.strokeStyle = this.#colours.panel;
      context.stroke();
      context.lineWidth = 3;
      context.strokeStyle = this.#colours.ink;
      if (mark.vague) context.setLineDash([5, 4]);
      context.stroke();
      context.setLineDash([]);
    }
    let shape = this.#shapes.get(mark.level);
    if (!shape) this.#shapes.set(mark.level, (shape = new Path2D(SHAPE[mark.level])));
    context.save();
    context.translate(x - SIZE / 2, y - SIZE / 2);
    context.scale(SIZE / 24, SIZE / 24);
    context.lineJoin = 'round';
    context.lineWidth = 4;
    context.strokeStyle = this.#colours.panel;
    context.stroke(shape);
    context.fillStyle = fill;
    context.fill(shape);
    context.lineWidth = mark.acknowledged ? 1.4 : 2.4;
    context.strokeStyle = edge;
    context.stroke(shape);
    context.fillStyle = on;
    context.font = `700 ${mark.level === 'yellow' ? 9 : 10}px "DejaVu Sans", Verdana, sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(NUMERAL[mark.level], 12, mark.level === 'orange' ? 16.2 : 12.4);
    context.restore();
  }
}
