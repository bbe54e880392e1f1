// Fails the build when a page of the console outgrows what a slow link bears: first load, map and charts, gzipped.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const BUDGETS_KB = { 'first load': 120, map: 95, charts: 25 };

const html = readFileSync(join(dist, 'index.html'), 'utf8');
const assets = readdirSync(join(dist, 'assets')).filter((name) => name.endsWith('.js'));
const kb = (name) => {
  const packed = join(dist, 'assets', `${name}.gz`);
  return statSync(existsSync(packed) ? packed : join(dist, 'assets', name)).size / 1024;
};
const group = (name) => {
  if (html.includes(name)) return 'first load';
  if (name.startsWith('town-map')) return 'map';
  if (name.startsWith('time-plot') || name.startsWith('uPlot')) return 'charts';
  return 'screens';
};
const sums = {};
for (const name of assets) sums[group(name)] = (sums[group(name)] ?? 0) + kb(name);

let over = false;
for (const [name, size] of Object.entries(sums)) {
  const budget = BUDGETS_KB[name];
  console.log(`${name.padEnd(10)} ${size.toFixed(1)} KB gz${budget ? ` of ${budget}` : ''}`);
  over ||= budget !== undefined && size > budget;
}
for (const name of Object.keys(BUDGETS_KB)) {
  if (!(name in sums)) {
    console.error(`nothing found for ${name}: the names of the chunks have changed`);
    over = true;
  }
}
if (over) process.exit(1);
