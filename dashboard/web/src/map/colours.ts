// The map's colours, out of the design tokens, so that it follows the theme.

import type { Level } from '../api/types.gen';

export interface MapColours {
  land: string;
  water: string;
  green: string;
  building: string;
  road: string;
  roadEdge: string;
  grid: string;
  gridLabel: string;
  label: string;
  halo: string;
  source: string;
  sourceSoft: string;
  panel: string;
  ink: string;
  level: Record<Level, { fill: string; on: string; edge: string }>;
}

export function mapColours(): MapColours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const level = (name: Level) => ({ fill: of(name), on: of(`on-${name}`), edge: of(`${name}-edge`) });
  return {
    land: of('map-land'),
    water: of('map-water'),
    green: of('map-green'),
    building: of('map-building'),
    road: of('map-road'),
    roadEdge: of('map-road-edge'),
    grid: of('map-grid'),
    gridLabel: of('map-grid-label'),
    label: of('map-label'),
    halo: of('map-halo'),
    source: of('source'),
    sourceSoft: of('source-soft'),
    panel: of('panel'),
    ink: of('ink'),
    level: { red: level('red'), orange: level('orange'), yellow: level('yellow'), blue: level('blue') },
  };
}
