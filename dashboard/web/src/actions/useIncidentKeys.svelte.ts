// The keys that act on the selected incident, on every screen that has one.

import type { Incident } from '../api/types.gen';
import type { StepName } from '../api/hub';
import { words } from '../i18n/words.svelte';
import { useKeys } from '../keys/keys.svelte';
import { actions } from './actions.svelte';

export function useIncidentKeys(selected: () => Incident | undefined): void {
  const act = (move: StepName) => () => {
    const incident = selected();
    if (!incident) return false;
    actions.run(incident, move);
    return true;
  };
  useKeys(() => [
    { key: 'a', label: words.keys.acknowledge, run: act('acknowledge') },
    { key: 't', label: words.keys.take, run: act('take') },
    { key: 'd', label: words.keys.dispatch, run: act('dispatch') },
    { key: 'n', label: words.keys.note, run: act('note') },
  ]);
}
