// The order of the grids' rates, and how a rate is written. Pure.

import type { Grid, GridRates } from '../../api/types.gen';

export interface GridRow {
  rates: GridRates;
  name: string;
  /** How many grids hold it. */
  depth: number;
}

/** Grids as they nest, each below the one that holds it, by name within it. */
export function nested(rates: readonly GridRates[], grids: ReadonlyMap<string, Grid>): GridRow[] {
  const known = new Map(rates.map((one) => [one.grid, one]));
  const name = (id: string) => grids.get(id)?.name ?? id;
  const inside = new Map<string, GridRates[]>();
  for (const one of rates) {
    const parent = grids.get(one.grid)?.parent ?? '';
    // What holds it may lie outside the scope; then it stands by itself.
    const key = known.has(parent) ? parent : '';
    inside.set(key, [...(inside.get(key) ?? []), one]);
  }
  const rows: GridRow[] = [];
  const walk = (parent: string, depth: number) => {
    const here = [...(inside.get(parent) ?? [])].sort((a, b) => name(a.grid).localeCompare(name(b.grid), 'zh'));
    for (const one of here) {
      rows.push({ rates: one, name: name(one.grid), depth });
      if (depth < 8) walk(one.grid, depth + 1);
    }
  };
  walk('', 0);
  return rows;
}

/** The lowest online rate first; what nothing is known of last. */
export function worstFirst(rows: readonly GridRow[]): GridRow[] {
  return [...rows].sort((a, b) => (a.rates.online_rate ?? 2) - (b.rates.online_rate ?? 2) || b.rates.away - a.rates.away);
}

/** 98.7 %; 100 % only when it is all, 0 % only when it is none. */
export function rateText(rate: number | null | undefined): string | undefined {
  if (rate === null || rate === undefined) return undefined;
  const percent = rate * 100;
  if (percent === 100 || percent === 0) return `${percent} %`;
  return `${Math.min(99.9, Math.max(0.1, percent)).toFixed(1)} %`;
}
