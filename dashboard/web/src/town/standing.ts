// Where a source stands for people who count, and which of a camera's streams speaks for it. As the hub's
// `model/src/standing.rs`, for what the console counts live. Pure.

import type { SourceState, SourceStatus } from '../api/types.gen';

export type Standing = 'intact' | 'impaired' | 'away' | 'unknown';

/** Beside the states of a wanted sub stream, which are above all. */
const TELLING: SourceState[] = ['unknown', 'idle', 'connecting', 'silent', 'offline', 'auth_failed', 'stalled', 'degraded', 'live'];
const SUB = TELLING.length;

function telling({ state, profile, last_data_at }: SourceStatus): number {
  if (state === 'idle') return last_data_at ? 1.5 : 1;
  if (state === 'unknown') return 0;
  return profile === 'sub' ? SUB : TELLING.indexOf(state);
}

/** The status that speaks for a source: that of the sub stream while it is wanted, else the one that tells most. */
export function leading(statuses: readonly SourceStatus[]): SourceStatus | undefined {
  let best: SourceStatus | undefined;
  for (const status of statuses) if (!best || telling(status) > telling(best)) best = status;
  return best;
}

export function standingOf(status: SourceStatus | undefined): Standing {
  switch (status?.state) {
    case 'live':
      return 'intact';
    case 'idle':
      return status.last_data_at ? 'intact' : 'unknown';
    case 'degraded':
      return 'impaired';
    case 'stalled':
    case 'auth_failed':
    case 'offline':
    case 'silent':
      return 'away';
    case 'unknown':
      return status.reason && status.reason !== 'waiting_for_data' ? 'away' : 'unknown';
    default:
      return 'unknown';
  }
}
