// The strip of a source's last hours: where each state lies, and the same in words. Pure.

import type { SegmentView, SourceState } from '../../api/types.gen';

/** How a state is drawn: filled, half, hatched, or left open. */
export type Look = 'intact' | 'idle' | 'impaired' | 'away' | 'connecting' | 'unknown';

export interface Piece {
  /** Percent of the strip. */
  left: number;
  width: number;
  look: Look;
  segment: SegmentView;
}

export interface Share {
  state: SourceState;
  /** Set where a reason says more than the state: why nobody knows. */
  reason: string | undefined;
  ms: number;
  /** 0 to 1. */
  share: number;
}

/** Reasons that say more than "unknown". */
const WHY_UNKNOWN = new Set(['hub_down', 'not_heard', 'removed', 'broker_unreachable']);

export function lookOf(state: SourceState): Look {
  switch (state) {
    case 'live':
      return 'intact';
    case 'degraded':
      return 'impaired';
    case 'idle':
    case 'connecting':
    case 'unknown':
      return state;
    default:
      return 'away';
  }
}

export function pieces(segments: readonly SegmentView[], from: number, to: number): Piece[] {
  const span = Math.max(1, to - from);
  return segments.map((segment) => {
    const [begin, end] = [Date.parse(segment.from), Date.parse(segment.to)];
    return { left: ((begin - from) / span) * 100, width: ((end - begin) / span) * 100, look: lookOf(segment.state), segment };
  });
}

/** How long each state lasted in all, the longest first. */
export function shares(segments: readonly SegmentView[]): Share[] {
  const sums = new Map<string, Share>();
  let total = 0;
  for (const { from, to, state, reason } of segments) {
    const ms = Date.parse(to) - Date.parse(from);
    const why = state === 'unknown' && reason && WHY_UNKNOWN.has(reason) ? reason : undefined;
    const key = `${state} ${why ?? ''}`;
    const sum = sums.get(key) ?? { state, reason: why, ms: 0, share: 0 };
    sums.set(key, sum);
    sum.ms += ms;
    total += ms;
  }
  const all = [...sums.values()].sort((a, b) => b.ms - a.ms);
  for (const one of all) one.share = total ? one.ms / total : 0;
  return all;
}
