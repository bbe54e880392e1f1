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

export interface GridNode {
  grid: Grid;
  /** How many grids hold it. */
  depth: number;
}

/** Each grid behind the one that holds it; one whose holder is not known stands by itself. */
export function gridTree(grids: ReadonlyMap<string, Grid>): GridNode[] {
  const inside = new Map<string, Grid[]>();
  for (const grid of grids.values()) {
    const parent = grid.parent && grids.has(grid.parent) ? grid.parent : '';
    inside.set(parent, [...(inside.get(parent) ?? []), grid]);
  }
  // A ring of parents must not go on for ever.
  const walk = (parent: string, depth: number): GridNode[] =>
    (inside.get(parent) ?? []).flatMap((grid) => [{ grid, depth }, ...(depth < 8 ? walk(grid.id, depth + 1) : [])]);
  return walk('', 0);
}

/** A grid with all inside it. */
export function gridsWithin(grids: ReadonlyMap<string, Grid>, id: string): Set<string> {
  const tree = gridTree(grids);
  const at = tree.findIndex(({ grid }) => grid.id === id);
  const depth = tree[at]?.depth ?? 0;
  const end = tree.findIndex((node, i) => i > at && node.depth <= depth);
  return new Set([id, ...tree.slice(at + 1, end < 0 ? undefined : end).map(({ grid }) => grid.id)]);
}
