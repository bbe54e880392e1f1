// The arrangement of this account in this browser; the address wins, so that a colleague can be sent one.

import { router } from '../../router/router.svelte';
import { session } from '../../session/session.svelte';
import { add, empty, parse, textOf } from './arrangement';
import type { Arrangement } from './arrangement';

/** Its name in the address. */
export const PARAM = 'w';
const key = () => `gridward.wall.${session.name}`;

export function savedArrangement(): Arrangement {
  let kept = '';
  try {
    kept = localStorage.getItem(key()) ?? '';
  } catch {
    // A browser without storage begins with an empty wall.
  }
  return parse(router.param(PARAM)) ?? parse(kept) ?? empty();
}

export function save(arrangement: Arrangement): void {
  const text = textOf(arrangement);
  router.set({ [PARAM]: text });
  keep(text);
}

/** Hangs a camera from another screen. */
export function hang(camera: string): void {
  const text = textOf(add(savedArrangement(), camera));
  keep(text);
  router.go('/wall');
}

function keep(text: string): void {
  try {
    localStorage.setItem(key(), text);
  } catch {
    // The address still has it.
  }
}
