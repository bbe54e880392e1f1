// The readings of one source over a span of time: history from the hub, then each new value as it comes.

import * as hub from '../api/hub';
import type { Failure } from '../api/client';
import type { Observation } from '../api/types.gen';
import { town } from '../events/town.svelte';

export interface Series {
  reading: string;
  /** Yes and no as 1 and 0. */
  steps: boolean;
  /** Seconds since the epoch, rising. */
  times: number[];
  values: number[];
  last: Observation;
}

/** How many points a plot shows; more would be narrower than a pixel. */
const POINTS = 360;

export interface Span {
  /** In ms since the epoch. */
  from: number;
  to: number;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

async function load(source: string, last: Observation, { from, to }: Span, signal: AbortSignal): Promise<Series | Failure | undefined> {
  const steps = typeof last.value === 'boolean';
  const step_s = Math.max(1, Math.ceil((to - from) / 1000 / POINTS));
  const query = { source, reading: last.reading, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const answer = await hub.observations(steps ? query : { ...query, step_s }, signal);
  if (answer.outcome === 'aborted') return undefined;
  if (answer.outcome === 'error') return answer.failure;
  const { items, buckets } = answer.data;
  const series: Series = { reading: last.reading, steps, times: [], values: [], last };
  for (const { phenomenon_time, value } of items) {
    const number = numberOf(value);
    if (number !== undefined) push(series, Date.parse(phenomenon_time) / 1000, number);
  }
  // The middle of a bucket, and its greatest value where a rise matters; the mean hides a short peak.
  for (const { at, avg, max, count } of buckets) push(series, Date.parse(at) / 1000 + step_s / 2, count > 1 && max > avg * 1.02 ? max : avg);
  // Yes and no are told on change: what was last said may lie before the span, and holds in all of it.
  const value = numberOf(last.value);
  if (steps && series.times.length === 0 && value !== undefined) push(series, Math.max(from, Date.parse(last.phenomenon_time)) / 1000, value);
  return series;
}

function push(series: Series, time: number, value: number): void {
  const before = series.times[series.times.length - 1];
  if (before !== undefined && time <= before) return;
  series.times.push(time);
  series.values.push(value);
}

export class SourceSeries {
  series = $state.raw<Series[]>([]);
  failure = $state.raw<Failure | undefined>(undefined);
  loading = $state(true);
}

/** Follows the readings of a source while the component lives; `live` keeps adding what comes. */
export function useSeries(source: () => string | undefined, span: () => Span, live: () => boolean): SourceSeries {
  const state = new SourceSeries();
  $effect(() => {
    const id = source();
    const asked = span();
    const follows = live();
    if (!id) return;
    const abort = new AbortController();
    state.loading = true;
    state.failure = undefined;
    void (async () => {
      const view = await hub.sources.one(id, abort.signal);
      if (view.outcome === 'aborted') return;
      if (view.outcome === 'error') {
        state.failure = view.failure;
        state.loading = false;
        return;
      }
      const plotted = view.data.readings.filter((last) => numberOf(last.value) !== undefined && last.reading !== 'battery');
      const loaded = await Promise.all(plotted.map((last) => load(id, last, asked, abort.signal)));
      if (abort.signal.aborted) return;
      state.series = loaded.filter((one): one is Series => one !== undefined && 'times' in one);
      state.failure = loaded.find((one): one is Failure => one !== undefined && 'code' in one);
      state.loading = false;
    })();
    const heard = (observation: Observation) => {
      const value = numberOf(observation.value);
      const known = state.series.find((one) => one.reading === observation.reading);
      if (value === undefined || !known) return;
      const next: Series = { ...known, times: [...known.times], values: [...known.values], last: observation };
      push(next, Date.parse(observation.phenomenon_time) / 1000, value);
      state.series = state.series.map((one) => (one === known ? next : one));
    };
    const unfollow = follows ? town.follow(id, heard) : undefined;
    return () => {
      abort.abort();
      unfollow?.();
      state.series = [];
    };
  });
  return state;
}
