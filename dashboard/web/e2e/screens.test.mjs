// Every screen, in both languages, both themes and both sizes: axe finds nothing, and a picture of it is kept in shots/.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, logIn, shot, SIZES, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

let incident;
let camera;

// The screens are looked at with something on them.
const here = world({}, async ({ town, hub }) => {
  for (const event of ['fire', 'flood']) await town.event(event);
  await town.sensor('air-1', { garbage: true });
  camera = await until(async () => (await hub.get('/api/v1/sources?kind=camera&state=live&limit=1')).items[0], 'a live camera');
  const report = { title: '路面积水，有人被困', hazard: 'flood', level: 'orange', grid: camera.grid, place: camera.place };
  incident = await hub.post('/api/v1/incidents', report);
});

const ROUTES = {
  overview: () => '/',
  incidents: () => '/incidents',
  incident: () => `/incidents/${incident.id}`,
  wall: () => `/wall?w=${encodeURIComponent(`4:${camera.id}`)}`,
  sources: () => '/sources',
  source: () => `/sources/${encodeURIComponent(camera.id)}`,
  rules: () => '/rules',
  kpis: () => '/kpis',
  'dead-letters': () => '/dead-letters',
  admin: () => '/admin',
  audit: () => '/audit',
  'not-found': () => '/no-such-page',
};

/** The screen has loaded: nothing says that it is loading, and what it asked for has come. */
async function settle(page) {
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' });
  await page.waitForTimeout(300); // transitions of colour, which would be measured half-way
}

for (const lang of ['zh', 'en']) {
  for (const theme of ['light', 'dark']) {
    test(`axe finds nothing in ${lang}, ${theme}`, async (t) => {
      await here.page({ lang, theme }, async (page) => {
        await page.goto(`${here.hub.url}/login`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await t.test('login', async () => {
          assert.deepEqual(await axe(page), []);
          await shot(page, `login-${lang}-${theme}`);
        });
        await logIn(page, here.hub, 'admin');
        for (const [name, path] of Object.entries(ROUTES)) {
          await t.test(name, async () => {
            await visit(page, here.hub, path());
            await settle(page);
            const found = await axe(page);
            await shot(page, `${name}-${lang}-${theme}`);
            assert.deepEqual(found, []);
            assert.equal(await page.evaluate(() => document.documentElement.lang), lang === 'zh' ? 'zh-CN' : 'en');
          });
        }
      });
    });
  }
}

test('on a phone nothing is wider than the screen, and axe finds nothing', async (t) => {
  await here.page({ size: SIZES.phone }, async (page) => {
    await logIn(page, here.hub, 'admin');
    for (const [name, path] of Object.entries(ROUTES)) {
      await t.test(name, async () => {
        await visit(page, here.hub, path());
        await settle(page);
        await shot(page, `${name}-phone`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
        assert.deepEqual(await axe(page), []);
      });
    }
  });
});

test('English screens hold no Chinese but names of the town', () =>
  here.page({ lang: 'en' }, async (page) => {
    await logIn(page, here.hub, 'admin');
    for (const path of ['/wall', '/rules', '/dead-letters', '/admin']) {
      await visit(page, here.hub, path);
      await settle(page);
      const chrome = await page.getByRole('navigation').first().innerText();
      assert.doesNotMatch(chrome, /[\u4e00-\u9fff]/, path);
    }
  }));
