// Readings as people read them: the number with its unit, the word for yes and no.

import type { Observation, Source } from '../api/types.gen';
import { wordFor, words } from '../i18n/words.svelte';
import { numberText } from '../time/format';

/** UCUM as it is printed. */
const UNITS: Record<string, string> = { Cel: '°C', 'ug/m3': 'µg/m³', 'm3/s': 'm³/s' };

/** The unit of a reading. A source names one unit, that of its main reading; a battery is always in percent. */
export function unitText(source: Source | undefined, reading: string): string {
  if (reading === 'battery' || reading === 'humidity') return '%';
  const unit = source?.unit ?? '';
  return UNITS[unit] ?? unit;
}

export function valueText(value: unknown, reading: string, source: Source | undefined): string {
  if (typeof value === 'boolean') {
    const word = words.common.boolReading[reading]?.[value ? 1 : 0];
    return word ?? (value ? words.common.yes : words.common.no);
  }
  if (typeof value === 'number') {
    const unit = unitText(source, reading);
    return unit ? `${numberText(value)} ${unit}` : numberText(value);
  }
  return reading === 'picture' ? wordFor(words.common.pictureState, String(value)) : String(value);
}

export function readingText(observation: Observation, source: Source | undefined): string {
  return `${wordFor(words.common.reading, observation.reading)} ${valueText(observation.value, observation.reading, source)}`;
}

/** The named limits of a source, as its tags give them, the lowest first. */
export function limitsOf(source: Source | undefined): { name: string; value: number }[] {
  return Object.entries(source?.tags ?? {})
    .filter(([name]) => name.startsWith('limits.'))
    .map(([name, value]) => ({ name: name.slice('limits.'.length), value: Number(value) }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => a.value - b.value);
}
