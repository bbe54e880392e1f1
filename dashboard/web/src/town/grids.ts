// Which grid a place lies in, and grids in the order in which people look for them.

import type { Grid, Place } from '../api/types.gen';

/** Whether a ring of longitude, latitude holds a place (crossings of a ray to the east). */
export function holds(ring: readonly number[][], { lon, lat }: Place): boolean {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [xi = 0, yi = 0] = ring[i] ?? [];
    const [xj = 0, yj = 0] = ring[j] ?? [];
    if (yi > lat !== yj > lat && lon < ((xj - xi) * (lat - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** The innermost grid of a place: the one that is no other's parent. */
export function gridAt(grids: Iterable<Grid>, place: Place): Grid | undefined {
  const found = [...grids].filter((grid) => grid.outline && holds(grid.outline, place));
  const parents = new Set(found.map((grid) => grid.parent));
  return found.find((grid) => !parents.has(grid.id));
}

export interface GridGroup {
  name: string;
  grids: Grid[];
}

/** Innermost grids under the names of what holds them. */
export function gridGroups(grids: ReadonlyMap<string, Grid>): GridGroup[] {
  const parents = new Set([...grids.values()].map((grid) => grid.parent));
  const groups = new Map<string, GridGroup>();
  for (const grid of grids.values()) {
    if (parents.has(grid.id)) continue;
    const parent = grid.parent ?? '';
    const group = groups.get(parent) ?? { name: grids.get(parent)?.name ?? '', grids: [] };
    groups.set(parent, group);
    group.grids.push(grid);
  }
  return [...groups.values()];
}
