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

/** The reading an expression speaks of: its first name that has a value. */
function readingOf(alarm: Alarm): string {
  const names = Object.keys(alarm.evidence.values ?? {});
  return names.find((name) => alarm.evidence.condition.includes(name) && !name.startsWith('device.')) ?? names[0] ?? '';
}

export function evidenceText(incident: Incident): string {
  const alarm = gravestAlarm(incident);
  if (alarm) {
    const source = directory.sources.get(alarm.source);
    const name = directory.sourceName(alarm.source);
    const { value } = alarm.evidence;
    return value === undefined || value === null ? name : `${name} ${valueText(value, readingOf(alarm), source)}`;
  }
  if (incident.origin.type === 'person') return words.overview.reportedBy(incident.origin.id);
  const first = incident.sources[0];
  return first ? directory.sourceName(first) : '';
}
