// Flood mode on every screen, and the page of figures: a flood of real alarms, seen, grouped, counted, saved as CSV, printed.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { axe, logIn, shot, SIZES, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

let grid;

// Smoke and heat at every detector of the town: more than ten alarms within seconds.
const here = world({ env: { GRIDWARD_SHIFTS__ZONE: 'Asia/Shanghai' } }, async ({ town, hub }) => {
  const sensors = (await hub.get('/api/v1/sources?kind=sensor&limit=200')).items;
  const of = (name) => sensors.filter((sensor) => sensor.class === name).map(({ id }) => id);
  for (const id of of('smoke')) await town.sensor(id, { value: true });
  for (const id of of('temperature')) await town.sensor(id, { value: 61 });
  await until(async () => (await hub.get('/api/v1/kpis', 'lead')).now.flood_since, 'a flood');
  grid = sensors[0].grid;
  // Of one grid and hazard, and none of them grave.
  for (const title of ['路灯不亮', '路灯不亮', '井盖松动']) await hub.post('/api/v1/incidents', { title, hazard: 'utility', level: 'yellow', grid });
});

const barOf = (page) => page.getByRole('region', { name: /^(洪峰模式|Flood mode)$/ });

async function flaws(page, name) {
  await page.waitForTimeout(300); // transitions of colour, which would be measured half-way
  await shot(page, `kpis-${name}`);
  assert.deepEqual(await axe(page), []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
}

test('in a flood a bar says since when and how many, and the queue is grouped but for red and orange', () =>
  here.page({ lang: 'en', theme: 'dark' }, async (page) => {
    await logIn(page, here.hub);
    await visit(page, here.hub, '/');
    const bar = barOf(page);
    await bar.getByText(/^Flood of alarms since \d\d:\d\d:\d\d: \d{2,} alarms$/).waitFor();
    await bar.getByText(/in the last 10 minutes/).waitFor();
    const queue = page.getByRole('region', { name: 'Incidents' });
    const group = queue.getByRole('button', { expanded: false }).filter({ hasText: 'Utilities' });
    await group.getByText('路灯不亮 ×2').waitFor();
    const grave = (await here.hub.get('/api/v1/incidents?state=open&limit=200')).items.filter(({ level }) => ['red', 'orange'].includes(level));
    assert.ok(grave.length > 0, 'smoke is orange');
    for (const { id } of grave) assert.equal(await queue.locator(`[data-incident="${id}"]`).count(), 1, `${id} is to be seen`);
    const hidden = await queue.getByText('井盖松动', { exact: true }).count();
    assert.equal(hidden, 0, 'the rows of a closed group are not there');
    await flaws(page, 'flood-en-dark');
    // By keyboard: the group opens and closes.
    await group.focus();
    await page.keyboard.press('Enter');
    await queue.getByText('井盖松动', { exact: true }).waitFor();
    await flaws(page, 'flood-open-en-dark');
  }));

for (const [lang, theme, size] of [['zh', 'light', SIZES.desk], ['zh', 'dark', SIZES.desk], ['en', 'light', SIZES.desk], ['en', 'dark', SIZES.desk], ['zh', 'light', SIZES.phone]]) {
  test(`the figures stand against their lines in ${lang}, ${theme}, ${size.width} px`, () =>
    here.page({ lang, theme, size }, async (page) => {
      await logIn(page, here.hub, 'lead');
      await visit(page, here.hub, '/kpis');
      await page.locator('[data-kpi="alarms_per_hour"]').waitFor();
      const report = await here.hub.get('/api/v1/kpis', 'lead');
      assert.ok(report.total.alarms > 10, String(report.total.alarms));
      await page.locator('[data-kpi="peak_10_min"]').getByText(lang === 'zh' ? '超限' : 'Over', { exact: true }).first().waitFor();
      await page.getByRole('img', { name: lang === 'zh' ? /洪峰 1 次/ : /1 floods/ }).waitFor();
      await flaws(page, `page-${lang}-${theme}-${size.width}`);
    }));
}

test('a lead gets there by keys, chooses desk and time, opens a noisy source, and saves the CSV', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub, 'lead');
    await visit(page, here.hub, '/');
    await page.keyboard.press('g');
    await page.keyboard.press('k');
    await page.getByRole('heading', { name: '报警指标' }).waitFor();
    await page.getByLabel('值班台').selectOption('fire-desk');
    await page.getByRole('button', { name: '近 7 天' }).click();
    await page.waitForURL(/desk=fire-desk.*range=7d|range=7d.*desk=fire-desk/);
    assert.equal(await page.getByRole('combobox', { name: /^按/ }).inputValue(), 'shift');
    await page.getByText(/至 .*值班台：fire-desk/).waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: '下载 CSV' }).click()]);
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
    assert.match(lines[0], /^from,to,shift,covered_h,alarms,raised_red/);
    assert.ok(lines.length >= 14 && lines.slice(1).every((line) => /,(day|night),/.test(line)), lines.join('\n'));
    await page.getByRole('group', { name: '报警最多的规则与设备' }).getByRole('link').nth(1).click();
    await page.waitForURL(/\/sources\//);
  }));

test('it prints on one sheet of A4', () =>
  here.page({ lang: 'zh', theme: 'dark' }, async (page) => {
    await logIn(page, here.hub, 'lead');
    await visit(page, here.hub, '/kpis');
    await page.locator('[data-kpi="alarms_per_hour"]').waitFor();
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page[^s]/g)?.length;
    await page.emulateMedia({ media: 'print' });
    await page.setViewportSize({ width: 726, height: 1054 });
    await shot(page, 'kpis-print');
    assert.equal(pages, 1);
    assert.equal(await page.getByRole('navigation').first().isVisible(), false);
  }));

test('an operator has no such entry, and is told why when coming by the address', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub);
    await visit(page, here.hub, '/kpis');
    await page.getByRole('alert').filter({ hasText: /权限/ }).first().waitFor();
    assert.equal(await page.getByRole('link', { name: '指标' }).count(), 0);
  }));
