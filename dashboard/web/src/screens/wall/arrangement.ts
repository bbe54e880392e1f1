// Which camera hangs where on the wall. Pure: each change gives a new arrangement.

export const LAYOUTS = [1, 4, 9, 16] as const;
export type Layout = (typeof LAYOUTS)[number];
/** Places of the largest layout; a smaller one shows the first of them and keeps the rest. */
const PLACES = 16;

export interface Arrangement {
  layout: Layout;
  /** A camera's id, or none; as many as the largest layout has. */
  places: readonly (string | undefined)[];
}

export function empty(layout: Layout = 4): Arrangement {
  return { layout, places: Array.from({ length: PLACES }, () => undefined) };
}

export function withLayout(arrangement: Arrangement, layout: Layout): Arrangement {
  return { ...arrangement, layout };
}

/** One step to more or fewer tiles. */
export function stepLayout(arrangement: Arrangement, step: 1 | -1): Arrangement {
  return withLayout(arrangement, LAYOUTS[LAYOUTS.indexOf(arrangement.layout) + step] ?? arrangement.layout);
}

/** The first empty place that is shown; none when the layout is full. */
export function freePlace({ layout, places }: Arrangement): number | undefined {
  const at = places.slice(0, layout).indexOf(undefined);
  return at < 0 ? undefined : at;
}

/** Hangs the camera at the place; it leaves the place where it was. */
export function put(arrangement: Arrangement, at: number, camera: string): Arrangement {
  const places = arrangement.places.map((other, place) => (place === at ? camera : other === camera ? undefined : other));
  return { ...arrangement, places };
}

/** Adds the camera at the first free place, with a larger layout when there is none; at the last place of the largest. */
export function add(arrangement: Arrangement, camera: string): Arrangement {
  if (arrangement.places.slice(0, arrangement.layout).includes(camera)) return arrangement;
  const at = freePlace(arrangement);
  if (at !== undefined) return put(arrangement, at, camera);
  const larger = stepLayout(arrangement, 1);
  return larger.layout === arrangement.layout ? put(arrangement, PLACES - 1, camera) : add(larger, camera);
}

/** The two places change what they hold. */
export function move(arrangement: Arrangement, from: number, to: number): Arrangement {
  const places = [...arrangement.places];
  [places[from], places[to]] = [places[to], places[from]];
  return { ...arrangement, places };
}

export function remove(arrangement: Arrangement, at: number): Arrangement {
  return { ...arrangement, places: arrangement.places.map((other, place) => (place === at ? undefined : other)) };
}

/** `4:cam-1,,cam-2`, as it is kept and as it stands in the address. */
export function textOf({ layout, places }: Arrangement): string {
  return `${layout}:${places.map((camera) => encodeURIComponent(camera ?? '')).join(',').replace(/,+$/, '')}`;
}

/** None for what is no arrangement. */
export function parse(text: string): Arrangement | undefined {
  const found = /^(\d+):(.*)$/.exec(text);
  const layout = LAYOUTS.find((known) => String(known) === found?.[1]);
  if (!found || !layout) return undefined;
  let arrangement = empty(layout);
  for (const [at, part] of (found[2] ?? '').split(',').slice(0, PLACES).entries()) {
    const camera = decoded(part);
    if (camera) arrangement = put(arrangement, at, camera);
  }
  return arrangement;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
