// What an emergency costs the rest, in words. Pure.

import type { Cost } from '../api/types.gen';
import type { Catalogue } from '../i18n/zh';

export interface CostText {
  text: string;
  /** Somebody must act on it. */
  loud: boolean;
}

/** What the area has got, then who had to make room for it, then what waits. */
export function costTexts(cost: Cost, words: Catalogue['emergency']): CostText[] {
  const shed = cost.shed_usual + cost.shed_key_sites + cost.shed_watched;
  const parts = [
    ...(cost.shed_watched ? [words.shedWatched(cost.shed_watched)] : []),
    ...(cost.shed_key_sites ? [words.shedKeySites(cost.shed_key_sites)] : []),
  ];
  return [
    { text: words.streams(cost.streams, cost.cameras), loud: false },
    ...(cost.refused ? [{ text: words.refused(cost.refused), loud: true }] : []),
    { text: shed ? words.shed(shed, parts.join(words.and)) : words.shedNone, loud: cost.shed_watched > 0 },
    ...(cost.probes_paused ? [{ text: words.probesPaused, loud: false }] : []),
  ];
}
