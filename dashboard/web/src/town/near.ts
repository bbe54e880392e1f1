// What stands near an incident.

import type { Incident, Place, Source } from '../api/types.gen';

/** Sensors farther away tell nothing of the place; as the hub's limit for cameras. */
const NEAR_M = 300;
const SHOWN = 4;

/** Metres between two places; on a town's scale the earth is flat. */
export function distanceM(a: Place, b: Place): number {
  const metres = 111_320;
  const x = (a.lon - b.lon) * metres * Math.cos((a.lat * Math.PI) / 180);
  const y = (a.lat - b.lat) * metres;
  return Math.hypot(x, y);
}

/** The incident's own sensors, the one that raised it first, then the nearest others. */
export function sensorsNear(incident: Incident, sources: ReadonlyMap<string, Source>): string[] {
  const own = incident.sources.filter((id) => sources.get(id)?.kind === 'sensor');
  const { place } = incident;
  if (!place || own.length >= SHOWN) return own.slice(0, SHOWN);
  const others = [...sources.values()]
    .filter((source) => source.kind === 'sensor' && source.place && !own.includes(source.id))
    .map((source) => ({ id: source.id, far: distanceM(place, source.place as Place) }))
    .filter(({ far }) => far <= NEAR_M)
    .sort((a, b) => a.far - b.far);
  return [...own, ...others.map(({ id }) => id)].slice(0, SHOWN);
}
