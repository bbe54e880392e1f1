// How figures of alarms are written, and what a report is asked for. Pure.

import type { Kpi, KpiBy, KpiPeriod } from '../../api/types.gen';

export type Range = '24h' | '7d' | '45d';
export const RANGES: Range[] = ['24h', '7d', '45d'];
export const BYS: KpiBy[] = ['hour', 'shift', 'day'];

const HOURS: Record<Range, number> = { '24h': 24, '7d': 168, '45d': 1_080 };
/** What a range is told by unless a person chooses. */
const USUAL: Record<Range, KpiBy> = { '24h': 'hour', '7d': 'shift', '45d': 'day' };

export function rangeOf(text: string): Range {
  return RANGES.find((one) => one === text) ?? '24h';
}

export function byOf(text: string, range: Range): KpiBy {
  return BYS.find((one) => one === text) ?? USUAL[range];
}

/** The query of a report that ends with the hour that is on. */
export function asked(range: Range, by: KpiBy, desk: string, nowMs: number): Record<string, string> {
  const to = Math.ceil(nowMs / 3_600_000) * 3_600_000;
  const from = to - HOURS[range] * 3_600_000;
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), by, ...(desk && { desk }) };
}

function digits(value: number): string {
  return String(Number(value.toFixed(value >= 10 ? 0 : value >= 1 ? 1 : 2)));
}

/** A share as percent, everything else as a number; what was not measured is a dash. */
export function figureText(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return '—';
  return unit === 'share' ? `${Number((value * 100).toFixed(1))} %` : digits(value);
}

/** Where value and lines stand on a bar of this width, 0 to 100; the last line is at three fifths at least. */
export function onBar(kpi: Kpi): { value: number; good: number | undefined; limit: number | undefined } {
  const lines = [kpi.good, kpi.limit].filter((line): line is number => typeof line === 'number');
  const most = kpi.more_is_better || kpi.unit === 'share' ? shareEnd(kpi, lines) : Math.max(1, ...lines) / 0.6;
  const at = (value: number): number => Math.min(100, Math.max(0, (value / most) * 100));
  const line = (value: number | null | undefined): number | undefined => (typeof value === 'number' ? at(value) : undefined);
  return { value: at(kpi.value ?? 0), good: line(kpi.good), limit: line(kpi.limit) };
}

/** A share whose line is near nothing would not be seen on a bar of the whole. */
function shareEnd(kpi: Kpi, lines: number[]): number {
  return kpi.more_is_better || lines.length === 0 ? 1 : Math.min(1, Math.max(...lines) / 0.6);
}

export interface Bar {
  from: number;
  to: number;
  /** Alarms an hour. */
  rate: number;
  /** Parts of it, the gravest first, each 0 to 1. */
  parts: [number, number, number, number];
  period: KpiPeriod;
}

/** A bar for each period; what has not been is left empty. */
export function bars(periods: KpiPeriod[]): Bar[] {
  return periods.map((period) => {
    const { red, orange, yellow, blue } = period.raised;
    const of = (count: number): number => (period.alarms ? count / period.alarms : 0);
    const parts: Bar['parts'] = [of(red), of(orange), of(yellow), of(blue)];
    return { from: Date.parse(period.from), to: Date.parse(period.to), rate: period.per_hour ?? 0, parts, period };
  });
}

/** The top of an axis that holds these rates and the line, at a round number. */
export function axisTop(rates: number[], line: number): number {
  const most = Math.max(line * 1.25, ...rates);
  const step = most > 200 ? 100 : most > 60 ? 20 : 5;
  return Math.ceil(most / step) * step;
}

/** Seconds as people say them: 42 s, 3:20, 2:05:10. */
export function secondsText(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '—';
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const s = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, '0');
  const rest = `${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${rest}` : rest;
}
