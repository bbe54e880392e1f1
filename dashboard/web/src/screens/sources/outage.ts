// What a group's cause is called, and what to look at then. Pure; the words and names are given.

import type { CauseView, OutageGroup } from '../../api/types.gen';
import type { Catalogue } from '../../i18n/zh';

type Words = Pick<Catalogue, 'common' | 'sources'>;

export function causeText(cause: CauseView, words: Words, gridName: (id: string) => string): string {
  const { cause: by } = words.sources.outages;
  switch (cause.type) {
    case 'recorder':
      return by.recorder(cause.host);
    case 'gateway':
      return by.gateway(cause.gateway);
    case 'broker':
      return by.broker(cause.broker ?? '');
    case 'grid':
      return by.grid(gridName(cause.grid));
    case 'owner':
      return by.owner(words.common.owner[cause.owner]);
  }
}

/** The reasons in a group, the commonest first; a code that is no reason is the state. */
export function reasonTexts(group: OutageGroup, words: Words): { text: string; count: number }[] {
  const states = words.common.sourceState as Record<string, string>;
  return Object.entries(group.reasons)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => ({ text: words.sources.reason[code] ?? states[code] ?? code, count }));
}
