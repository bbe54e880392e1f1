// Groups points that would lie on each other. Pure: places in, clusters out.

import type { Kind, SourceState } from '../api/types.gen';

export interface Point {
  id: string;
  kind: Kind;
  /** In map units. */
  x: number;
  y: number;
  /** Where a camera looks, in degrees from north; none when unknown. */
  bearing?: number;
}

export interface Cluster {
  x: number;
  y: number;
  points: Point[];
}

/** Clusters of a square lattice; `cell` is its width in map units. A cluster stands at the middle of its points. */
export function clustersOf(points: readonly Point[], cell: number): Cluster[] {
  const cells = new Map<string, Cluster>();
  for (const point of points) {
    const key = `${Math.floor(point.x / cell)} ${Math.floor(point.y / cell)}`;
    const cluster = cells.get(key);
    if (cluster) cluster.points.push(point);
    else cells.set(key, { x: 0, y: 0, points: [point] });
  }
  for (const cluster of cells.values()) {
    cluster.x = cluster.points.reduce((sum, point) => sum + point.x, 0) / cluster.points.length;
    cluster.y = cluster.points.reduce((sum, point) => sum + point.y, 0) / cluster.points.length;
  }
  return [...cells.values()];
}

/** Whether a state is a fault of the source. Idle and unknown are none. */
export function isFault(state: SourceState): boolean {
  return state === 'offline' || state === 'stalled' || state === 'auth_failed' || state === 'silent' || state === 'degraded';
}
