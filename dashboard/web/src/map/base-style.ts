// How the base map looks: quiet greys under the incidents. The kinds are those of docs/town.md; unknown ones are not drawn.

import type { FeatureLike } from 'ol/Feature';
import Fill from 'ol/style/Fill';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';
import Text from 'ol/style/Text';
import type { MapColours } from './colours';

const FONT = '"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei","PingFang SC",sans-serif';

/** Widths on the ground in metres. */
const ROAD_M: Record<string, number> = { main: 22, street: 13, lane: 7, track: 4 };

/** Up to which resolution (metres a pixel) buildings, lanes and names of each kind are shown. */
const BUILDINGS_TO = 9;
const LANES_TO = 7;
const NAMES_TO: Record<string, number> = { village: 14, road: 2.6, lane: 1.6, bridge: 9, place: 4, grid: 2.2, river: 30 };

export function areaStyle(colours: MapColours): (feature: FeatureLike, resolution: number) => Style[] | Style | undefined {
  const fill = (color: string, zIndex: number, edge?: string) =>
    new Style({ zIndex, fill: new Fill({ color }), ...(edge ? { stroke: new Stroke({ color: edge, width: 1 }) } : {}) });
  const areas: Record<string, Style> = {
    land: fill(colours.land, 0),
    field: fill(colours.green, 1),
    wood: fill(colours.green, 1),
    river: fill(colours.water, 2),
    island: fill(colours.land, 3),
    pond: fill(colours.water, 3),
    park: fill(colours.green, 4),
    square: fill(colours.road, 4),
    school: fill(colours.building, 4, colours.roadEdge),
    public: fill(colours.building, 4, colours.roadEdge),
    yard: fill(colours.building, 4, colours.roadEdge),
  };
  const building = fill(colours.building, 8, colours.roadEdge);
  return (feature, resolution) => {
    const kind = String(feature.get('kind'));
    const area = areas[kind];
    if (area) return area;
    if (kind === 'building') return resolution < BUILDINGS_TO ? building : undefined;
    if (kind === 'stream') {
      return new Style({ zIndex: 2, stroke: new Stroke({ color: colours.water, width: Math.max(1.5, Number(feature.get('width_m') ?? 10) / resolution) }) });
    }
    if (kind !== 'road' && kind !== 'bridge') return undefined;
    const name = String(feature.get('class') ?? 'street');
    const minor = name === 'lane' || name === 'track';
    if (minor && resolution > LANES_TO) return undefined;
    const width = Math.max(name === 'main' ? 2.5 : minor ? 0.75 : 1.25, (ROAD_M[name] ?? 10) / resolution);
    const above = kind === 'bridge' ? 4 : name === 'main' ? 2 : minor ? 0 : 1;
    const inside = new Style({ zIndex: 20 + above, stroke: new Stroke({ color: colours.road, width, lineCap: kind === 'bridge' ? 'butt' : 'round' }) });
    if (width < 3 && kind !== 'bridge') return inside;
    const edge = new Style({
      zIndex: kind === 'bridge' ? 23 : 10 + above,
      stroke: new Stroke({ color: kind === 'bridge' ? colours.label : colours.roadEdge, width: width + 2, lineCap: 'butt' }),
    });
    return [edge, inside];
  };
}

export function labelStyle(colours: MapColours): (feature: FeatureLike, resolution: number) => Style | undefined {
  const text = (feature: FeatureLike, size: number, weight: number, along: boolean, color = colours.label, left = false) =>
    new Style({
      text: new Text({
        text: String(feature.get('name') ?? ''),
        font: `${weight} ${size}px ${FONT}`,
        fill: new Fill({ color }),
        stroke: new Stroke({ color: colours.halo, width: 3 }),
        placement: along ? 'line' : 'point',
        overflow: !along,
        ...(left ? { textAlign: 'left' as const } : {}),
        ...(along ? { maxAngle: 0.6 } : {}),
      }),
      zIndex: size,
    });
  return (feature, resolution) => {
    const kind = String(feature.get('kind'));
    const within = (name: string) => resolution < (NAMES_TO[name] ?? 0);
    switch (kind) {
      case 'village':
        return within('village') ? text(feature, resolution < 5 ? 15 : 12, 600, false) : undefined;
      case 'grid_label':
        return within('grid') ? text(feature, 11, 400, false, colours.gridLabel) : undefined;
      case 'river_name':
        return within('river') ? text(feature, 15, 500, true) : undefined;
      case 'bridge':
        return within('bridge') ? text(feature, 12, 600, true) : undefined;
      case 'road': {
        const minor = feature.get('class') === 'lane' || feature.get('class') === 'track';
        return within(minor ? 'lane' : 'road') ? text(feature, 11, 400, true) : undefined;
      }
      case 'park':
      case 'school':
      case 'public':
      case 'square':
      case 'yard':
        return within('place') ? text(feature, 11, 500, false) : undefined;
      case 'notice':
        return text(feature, 11, 400, false, colours.label, true);
      default:
        return undefined;
    }
  };
}
