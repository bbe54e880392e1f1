// In which order incidents wait, and how they are grouped in a flood.

import type { Hazard, Incident, Level } from '../api/types.gen';

const GRAVITY: Record<Level, number> = { red: 3, orange: 2, yellow: 1, blue: 0 };

/** The gravest first; within a level what nobody has acknowledged, then what waits longest. */
export function byUrgency(a: Incident, b: Incident): number {
  return (
    GRAVITY[b.level] - GRAVITY[a.level] ||
    Number(a.acknowledged_by != null) - Number(b.acknowledged_by != null) ||
    a.reported_at.localeCompare(b.reported_at) ||
    a.id.localeCompare(b.id)
  );
}

export interface Group {
  key: string;
  grid: string;
  hazard: Hazard;
  /** By urgency; never empty. */
  incidents: Incident[];
}

/** One group for each place and hazard, the most urgent first. */
export function grouped(incidents: Incident[]): Group[] {
  const groups = new Map<string, Group>();
  for (const incident of [...incidents].sort(byUrgency)) {
    const key = `${incident.grid} ${incident.hazard}`;
    const group = groups.get(key);
    if (group) group.incidents.push(incident);
    else groups.set(key, { key, grid: incident.grid, hazard: incident.hazard, incidents: [incident] });
  }
  return [...groups.values()];
}

/** In a flood: red and orange stand for themselves, the rest is grouped. */
export function inFlood(incidents: Incident[]): { open: Incident[]; groups: Group[] } {
  const stands = (incident: Incident): boolean => GRAVITY[incident.level] >= GRAVITY.orange;
  return { open: incidents.filter(stands), groups: grouped(incidents.filter((incident) => !stands(incident))) };
}

/** What a group is mostly about: its most frequent titles, at most `most`. */
export function topCauses(incidents: Incident[], text: (incident: Incident) => string, most = 2): { text: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const incident of incidents) counts.set(text(incident), (counts.get(text(incident)) ?? 0) + 1);
  return [...counts].map(([cause, count]) => ({ text: cause, count })).sort((a, b) => b.count - a.count).slice(0, most);
}
