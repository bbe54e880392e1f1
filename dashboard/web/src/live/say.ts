// What a tile tells in words: one headline and what explains it.
//
// Pure; the words are given. Order: what the hub refuses, the socket, the camera, the picture.

import type { Catalogue } from '../i18n/zh';
import { codecName } from './codecs';
import type { Freshness } from './freshness';
import type { TileView } from './tile';

export interface Said {
  headline: string;
  detail: string;
}

type Words = Pick<Catalogue, 'live' | 'sources' | 'common'>;

/** None while all is well. */
export function trouble(view: TileView, fresh: Freshness, words: Words, nowMs: number): Said | undefined {
  const { live } = words;
  if (view.refusal) return refusalWords(view.refusal, words);
  if (view.link.state !== 'open') {
    if (view.link.state === 'connecting') return { headline: live.linkConnecting, detail: '' };
    const waitS = Math.max(0, Math.ceil(((view.link.retryAt ?? nowMs) - nowMs) / 1000));
    return { headline: live.linkDown, detail: live.linkRetry(waitS) };
  }
  const camera = cameraWords(view, words);
  if (camera) return camera;
  if (view.shows === 'nothing') return { headline: view.mode === 'video' ? live.waitingFirst : live.waitingStill, detail: '' };
  if (fresh === 'late' || fresh === 'old') return { headline: live.noNew, detail: '' };
  return undefined;
}

function refusalWords({ code, message }: { code: string; message: string }, { live }: Words): Said {
  if (code === 'break_glass_required') return { headline: live.glass.closed, detail: '' };
  const again = code === 'unavailable' || code === 'too_many' ? live.refusedRetry : '';
  return { headline: live.refused[code] ?? message, detail: again };
}

function cameraWords({ camera, shows }: TileView, { live, sources, common }: Words): Said | undefined {
  if (!camera || camera.state === 'live' || camera.state === 'degraded') return undefined;
  if (camera.state === 'idle' || (camera.state === 'connecting' && shows === 'nothing')) return { headline: live.starting, detail: '' };
  const states: Record<string, string> = common.sourceState;
  const reason = camera.reason ? (sources.reason[camera.reason] ?? camera.reason) : '';
  return { headline: states[camera.state] ?? camera.state, detail: reason };
}

/** Why it is no video; none while it is. */
export function stillsWords({ stills }: TileView, { live }: Words): string | undefined {
  if (!stills) return undefined;
  switch (stills.code) {
    case 'codec':
      return live.stillsWhy.codec(codecName(stills.codec), stills.codec);
    case 'broken':
      return live.stillsWhy.broken(live.cause[stills.cause] ?? stills.cause);
    default:
      return live.stillsWhy[stills.code];
  }
}
