// The keys of live tiles: a digit goes to a tile, `f` shows the one in focus, or the first, on the whole screen. Their
// places carry `data-tile="n"`.

import { words } from '../i18n/words.svelte';
import { useKeys } from './keys.svelte';

function tile(at: number | string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-tile="${at}"] [data-source]`);
}

export function useTileKeys(): void {
  useKeys(() => [
    ...Array.from({ length: 9 }, (_, at) => ({
      key: String(at + 1),
      label: words.keys.tile,
      shown: '1–9',
      unlisted: at > 0,
      run: () => {
        const found = tile(at + 1);
        found?.focus();
        return found !== null;
      },
    })),
    {
      key: 'f',
      label: words.keys.fullScreen,
      run: () => {
        const focused = document.activeElement?.closest<HTMLElement>('[data-source]') ?? tile(1);
        if (document.fullscreenElement) void document.exitFullscreen();
        else if (focused) void focused.requestFullscreen();
        else return false;
        return true;
      },
    },
  ]);
}
