// The map of the town: base, grids, sources, incidents. Knows OpenLayers and no UI framework; loaded when first needed.

import Feature from 'ol/Feature';
import OlMap from 'ol/Map';
import View from 'ol/View';
import { defaults as controls } from 'ol/control/defaults';
import { boundingExtent, createEmpty, extend, getCenter, isEmpty, type Extent } from 'ol/extent';
import GeoJSON from 'ol/format/GeoJSON';
import Polygon from 'ol/geom/Polygon';
import { defaults as interactions } from 'ol/interaction/defaults';
import VectorImageLayer from 'ol/layer/VectorImage';
import { fromLonLat, toLonLat } from 'ol/proj';
import VectorSource from 'ol/source/Vector';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';
import type { Grid, Incident, Place, Source, SourceState } from '../api/types.gen';
import { areaStyle, labelStyle } from './base-style';
import { isFault, type Point } from './clusters';
import type { MapColours } from './colours';
import { IncidentLayer } from './incident-layer';
import { SourceLayer, type Hit } from './source-layer';

export interface Shown {
  grids: boolean;
  cameras: boolean;
  sensors: boolean;
  onlyFaults: boolean;
}

export interface MapHandlers {
  /** An incident was pressed. */
  incident: (id: string) => void;
  /** Sources lie at this pixel of the map, or none do. */
  sources: (hit: Hit | undefined) => void;
  /** With it, a press gives the place instead. */
  place?: ((place: Place) => void) | undefined;
}

const LONELY_ZOOM = 17;
const MOVE_MS = 250;

export class TownMap {
  readonly #map: OlMap;
  readonly #base = new VectorImageLayer({ source: new VectorSource(), imageRatio: 1.5 });
  readonly #labels = new VectorImageLayer({ source: new VectorSource(), declutter: true, imageRatio: 1.5 });
  readonly #grids = new VectorImageLayer({ source: new VectorSource(), imageRatio: 1.5 });
  readonly #sources: SourceLayer;
  readonly #incidents: IncidentLayer;
  #gridCentres = new Map<string, number[]>();
  #fitted = false;
  #stateOf: (id: string) => SourceState = () => 'unknown';

  constructor(
    target: HTMLElement,
    colours: MapColours,
    readonly handlers: MapHandlers,
  ) {
    this.#sources = new SourceLayer(colours);
    this.#incidents = new IncidentLayer(colours);
    this.#map = new OlMap({
      target,
      // No attribution, no zoom buttons: the page draws its own, in its own words.
      controls: controls({ attribution: false, rotate: false, zoom: false }),
      interactions: interactions({ altShiftDragRotate: false, pinchRotate: false }),
      layers: [this.#base, this.#grids, this.#labels, this.#sources, this.#incidents],
      view: new View({ center: [0, 0], zoom: 14, minZoom: 9, maxZoom: 20, constrainRotation: true, enableRotation: false }),
    });
    this.#map.on('click', (event) => this.#press(event.pixel as [number, number]));
    this.#map.on('pointermove', (event) => {
      if (event.dragging || this.handlers.place) return;
      const [x, y] = event.pixel as [number, number];
      target.style.cursor = this.#incidents.hit(x, y) || this.#sources.hit(x, y) ? 'pointer' : '';
    });
    this.#map.on('movestart', () => this.handlers.sources(undefined));
    this.paint(colours);
  }

  destroy(): void {
    this.#map.setTarget(undefined);
    this.#map.dispose();
  }

  paint(colours: MapColours): void {
    this.#base.setStyle(areaStyle(colours));
    this.#labels.setStyle(labelStyle(colours));
    this.#grids.setStyle(new Style({ stroke: new Stroke({ color: colours.grid, width: 1, lineDash: [6, 4] }) }));
    this.#sources.paint(colours);
    this.#incidents.paint(colours);
  }

  setBase(geojson: unknown): void {
    const features = new GeoJSON({ featureProjection: this.#map.getView().getProjection() }).readFeatures(geojson);
    const named = (feature: Feature) => feature.get('name') !== undefined;
    this.#base.getSource()?.clear();
    this.#base.getSource()?.addFeatures(features);
    this.#labels.getSource()?.clear();
    this.#labels.getSource()?.addFeatures(features.filter(named).map((feature) => feature.clone()));
  }

  setGrids(grids: Iterable<Grid>): void {
    const features: Feature[] = [];
    this.#gridCentres.clear();
    const parents = new Set<string>();
    const all = [...grids];
    for (const grid of all) if (grid.parent) parents.add(grid.parent);
    for (const grid of all) {
      if (!grid.outline?.length) continue;
      const polygon = new Polygon([grid.outline.map((point) => fromLonLat(point))]);
      this.#gridCentres.set(grid.id, getCenter(polygon.getExtent()));
      if (!parents.has(grid.id)) features.push(new Feature(polygon));
    }
    this.#grids.getSource()?.clear();
    this.#grids.getSource()?.addFeatures(features);
    this.#fitOnce();
  }

  setSources(sources: Iterable<Source>, stateOf: (id: string) => SourceState): void {
    const points: Point[] = [];
    for (const { id, kind, place, tags } of sources) {
      if (!place) continue;
      const [x, y] = fromLonLat([place.lon, place.lat]) as [number, number];
      const bearing = Number(tags?.['bearing'] ?? NaN);
      points.push({ id, kind, x, y, ...(Number.isFinite(bearing) ? { bearing } : {}) });
    }
    this.#stateOf = stateOf;
    this.#points = points;
    this.#sources.setPoints(points, stateOf);
    this.#fitOnce();
  }

  #points: Point[] = [];

  /** The state of sources has changed. */
  statesChanged(onlyFaults: boolean): void {
    // With the filter on, another state is another set of points.
    if (onlyFaults) this.#sources.setPoints(this.#points, this.#stateOf);
    else this.#sources.changed();
  }

  show(shown: Shown): void {
    this.#grids.setVisible(shown.grids);
    this.#sources.show(
      (point) => (point.kind === 'camera' ? shown.cameras : shown.sensors) && (!shown.onlyFaults || isFault(this.#stateOf(point.id))),
    );
  }

  setIncidents(incidents: Iterable<Incident>, selected: string): void {
    const marks = [...incidents].flatMap((incident) => {
      const at = this.#placeOf(incident);
      if (!at) return [];
      const [x, y] = at as [number, number];
      return [{ id: incident.id, level: incident.level, acknowledged: incident.acknowledged_by != null, x, y, vague: !incident.place }];
    });
    this.#incidents.setMarks(marks, selected);
  }

  ring(ids: Iterable<string>): void {
    this.#sources.ring(ids);
  }

  /** Brings an incident to the middle; nearer, when the map is far out. */
  goTo(incident: Incident): void {
    const center = this.#placeOf(incident);
    if (!center) return;
    const view = this.#map.getView();
    const zoom = Math.max(view.getZoom() ?? 0, incident.place ? LONELY_ZOOM : LONELY_ZOOM - 1);
    this.#move({ center, zoom });
  }

  zoom(by: number): void {
    const view = this.#map.getView();
    this.#move({ zoom: (view.getZoom() ?? 14) + by });
  }

  /** Shows the whole town. */
  fit(): void {
    const extent = this.#extent();
    if (!isEmpty(extent)) this.#map.getView().fit(extent, { padding: [24, 24, 24, 24], maxZoom: LONELY_ZOOM, duration: this.#fitted ? still() : 0 });
  }

  #fitOnce(): void {
    if (this.#fitted || isEmpty(this.#extent())) return;
    this.#map.updateSize();
    if (!this.#map.getSize()?.every((side) => side > 0)) return;
    this.fit();
    this.#fitted = true;
  }

  #extent(): Extent {
    const extent = createEmpty();
    extend(extent, this.#grids.getSource()?.getExtent() ?? createEmpty());
    if (isEmpty(extent) && this.#points.length) extend(extent, boundingExtent(this.#points.map(({ x, y }) => [x, y])));
    return extent;
  }

  #placeOf(incident: Incident): number[] | undefined {
    if (incident.place) return fromLonLat([incident.place.lon, incident.place.lat]);
    return this.#gridCentres.get(incident.grid);
  }

  #press(pixel: [number, number]): void {
    if (this.handlers.place) {
      const [lon = 0, lat = 0] = toLonLat(this.#map.getCoordinateFromPixel(pixel));
      // A sixth digit is a tenth of a metre.
      this.handlers.place({ lon: Number(lon.toFixed(6)), lat: Number(lat.toFixed(6)) });
      return;
    }
    const incident = this.#incidents.hit(...pixel);
    if (incident) {
      this.handlers.incident(incident);
      return;
    }
    const hit = this.#sources.hit(...pixel);
    const view = this.#map.getView();
    const apart = hit && hit.points.length > 1 && hit.points.some((point) => Math.hypot(point.x - (hit.points[0]?.x ?? 0), point.y - (hit.points[0]?.y ?? 0)) > 2);
    if (hit && apart && (view.getZoom() ?? 0) < 19.5) {
      const extent = boundingExtent(hit.points.map(({ x, y }) => [x, y]));
      view.fit(extent, { padding: [80, 80, 80, 80], maxZoom: 19.5, duration: still() });
    } else this.handlers.sources(hit);
  }

  #move(to: { center?: number[]; zoom?: number }): void {
    const view = this.#map.getView();
    view.cancelAnimations();
    view.animate({ ...to, duration: still() });
  }
}

/** How long a move takes; none for people whom moving pictures harm. */
function still(): number {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : MOVE_MS;
}
