// Every word of the console, in the chosen language. zh is the type; en must satisfy it, so a missing word fails the check.
// The hub sends codes, never words; only titles of incidents and names of sources come from it.

import { settings } from '../settings/settings.svelte';
import { en } from './en';
import { zh, type Catalogue } from './zh';

const catalogues: Record<'zh' | 'en', Catalogue> = { zh, en };

/** `words.shell.overview`; reading it in a component follows the language. */
export const words: Catalogue = Object.defineProperties(
  {},
  Object.fromEntries(
    Object.keys(zh).map((area) => [area, { enumerable: true, get: () => catalogues[settings.lang][area as keyof Catalogue] }]),
  ),
) as Catalogue;

/** A title of the hub in the chosen language. */
export function titleText(title: { zh: string; en: string }): string {
  return title[settings.lang] || title.zh || title.en;
}

/** The word for a code of the hub, or the code itself when the console does not know it. */
export function wordFor(known: Record<string, string>, code: string): string {
  return known[code] ?? code;
}
