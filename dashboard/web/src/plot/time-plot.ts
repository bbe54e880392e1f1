// One reading over time with its limits and the marks of the incident: uPlot with our drawing. Knows no UI framework.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Level } from '../api/types.gen';
import { NUMERAL } from '../components/LevelMark.svelte';
import type { PlotColours } from './colours';

export interface PlotData {
  /** Seconds since the epoch, rising. */
  times: number[];
  values: number[];
  /** Yes and no as steps between 0 and 1. */
  steps: boolean;
}

export interface PlotLook {
  colours: PlotColours;
  limits: { level: Level; value: number }[];
  /** Vertical lines, in seconds. */
  marks: number[];
  /** Width of the value axis in pixels; all plots and lanes of one axis share it. */
  gutter: number;
  valueText: (value: number) => string;
}

/** A curve needs room; yes and no do not. */
export const HEIGHT = 132;
export const STEPS_HEIGHT = 68;
const FONT = '11px "DejaVu Sans", Verdana, sans-serif';

export class TimePlot {
  readonly #plot: uPlot;
  #look: PlotLook;
  #cursor: number | undefined;
  readonly #height: number;

  /** `moved` is told the time under the pointer, none when it leaves. */
  constructor(target: HTMLElement, look: PlotLook, data: PlotData, moved: (time: number | undefined) => void) {
    this.#look = look;
    this.#height = data.steps ? STEPS_HEIGHT : HEIGHT;
    const { colours, gutter } = look;
    this.#plot = new uPlot(
      {
        width: Math.max(120, target.clientWidth),
        height: this.#height,
        padding: [8, 12, 4, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false, setScale: false } },
        scales: { x: { time: true, auto: false }, y: { range: (_, low, high) => this.#range(low, high, data.steps) } },
        axes: [
          { show: false },
          {
            size: gutter,
            gap: 4,
            font: FONT,
            stroke: colours.soft,
            grid: { stroke: colours.line, width: 1 },
            ticks: { show: false },
            splits: data.steps ? () => [0, 1] : undefined,
            values: (_, splits) => splits.map((value) => (value === null ? '' : look.valueText(value))),
            space: data.steps ? 16 : 34,
          } as uPlot.Axis,
        ],
        series: [
          {},
          {
            stroke: colours.text,
            width: 1.75,
            points: { show: false },
            ...(data.steps ? { paths: uPlot.paths.stepped?.({ align: 1 }) } : {}),
          } as uPlot.Series,
        ],
        hooks: {
          drawAxes: [(plot) => this.#drawLimits(plot)],
          draw: [(plot) => this.#drawMarks(plot)],
          setCursor: [(plot) => moved(plot.cursor.left === undefined || plot.cursor.left < 0 ? undefined : plot.posToVal(plot.cursor.left, 'x'))],
        },
      },
      [data.times, data.values],
      target,
    );
  }

  setData(data: PlotData, from: number, to: number): void {
    this.#plot.batch(() => {
      this.#plot.setData([data.times, data.values], false);
      this.#plot.setScale('x', { min: from, max: to });
    });
  }

  setMarks(marks: number[]): void {
    this.#look = { ...this.#look, marks };
    this.#plot.redraw(false);
  }

  /** The time that the other parts of the axis point at. */
  setCursor(time: number | undefined): void {
    if (time === this.#cursor) return;
    this.#cursor = time;
    this.#plot.redraw(false);
  }

  resize(width: number): void {
    this.#plot.setSize({ width: Math.max(120, width), height: this.#height });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #range(low: number | null, high: number | null, steps: boolean): [number, number] {
    if (steps) return [-0.15, 1.15];
    if (low === null || high === null) return [0, 1];
    const { limits } = this.#look;
    // The next limit above is in sight: how far it still is tells more than the curve.
    const above = limits.map(({ value }) => value).filter((value) => value > high);
    const top = above.length ? Math.min(...above) : high;
    const pad = (top - low || Math.abs(top) || 1) * 0.1;
    return [low - pad, top + pad];
  }

  #drawLimits(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const { level, value } of this.#look.limits) {
      const y = Math.round(plot.valToPos(value, 'y', true));
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      const { fill, on } = this.#look.colours.level[level];
      ctx.strokeStyle = fill;
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.setLineDash([8 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      // The numeral on its colour, at the left end, above the curve's past.
      const [w, h] = [24 * devicePixelRatio, 14 * devicePixelRatio];
      ctx.setLineDash([]);
      ctx.fillStyle = fill;
      ctx.fillRect(bbox.left, y - h / 2, w, h);
      ctx.fillStyle = on;
      ctx.font = `700 ${10 * devicePixelRatio}px "DejaVu Sans", Verdana, sans-serif`;
      ctx.textAlign = 'center';
      ctx.textBaseline = 'middle';
      ctx.fillText(NUMERAL[level], bbox.left + w / 2, y + 0.5 * devicePixelRatio);
    }
    ctx.restore();
  }

  #drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const line = (time: number, color: string, width: number) => {
      const x = Math.round(plot.valToPos(time, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = color;
      ctx.lineWidth = width * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    };
    ctx.save();
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const mark of this.#look.marks) line(mark, this.#look.colours.soft, 1);
    ctx.setLineDash([]);
    if (this.#cursor !== undefined) line(this.#cursor, this.#look.colours.text, 1);
    ctx.restore();
  }
}
