// Why an incident is there, in one line: what its gravest active alarm saw, or who reported it.

import type { Alarm, Incident, Level } from '../api/types.gen';
import { town } from '../events/town.svelte';
import { words } from '../i18n/words.svelte';
import { directory } from '../town/directory.svelte';
import { valueText } from '../town/values';

const GRAVITY: Record<Level, number> = { red: 3, orange: 2, yellow: 1, blue: 0 };

export function gravestAlarm(incident: Incident): Alarm | undefined {
  const alarms = incident.active_alarms.flatMap((id) => town.alarms.get(id) ?? []);
  return alarms.sort((a, b) => GRAVITY[b.level] - GRAVITY[a.level])[0];
}

/** What a source of a class mainly reads; rules call it `x`. */
const MAIN_READING: Record<string, string> = { smoke: 'smoke', door: 'open', power: 'power' };

function readingOf(alarm: Alarm, sourceClass: string | undefined): string {
  if (typeof alarm.evidence.value === 'string') return 'picture';
  return MAIN_READING[sourceClass ?? ''] ?? Object.keys(alarm.evidence.values ?? {}).find((name) => name !== 'x') ?? '';
}

export function evidenceText(incident: Incident): string {
  const alarm = gravestAlarm(incident);
  if (alarm) {
    const source = directory.sources.get(alarm.source);
    const name = directory.sourceName(alarm.source);
    const { value } = alarm.evidence;
    return value === undefined || value === null ? name : `${name} ${valueText(value, readingOf(alarm, source?.class), source)}`;
  }
  if (incident.origin.type === 'person') return words.overview.reportedBy(incident.origin.id);
  const first = incident.sources[0];
  return first ? directory.sourceName(first) : '';
}
