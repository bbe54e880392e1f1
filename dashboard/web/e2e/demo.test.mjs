// What a newcomer sees within two minutes of `make run`: the town's own script, nobody helps it along.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logIn, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

const here = world({ townArgs: [] });
const LIMIT_MS = 120_000;

/** What must stand in the queue, and the camera that sees it. */
const WANTED = [
  { hazard: 'flood', source: 'gauge-1', camera: 'cam-river-1' },
  { hazard: 'fire', source: /^(smoke|temp)-[12]$/, camera: 'cam-yard-1' },
  { hazard: 'equipment', source: 'cam-park-1', camera: 'cam-park-1' },
];

test('within two minutes a fire, a flood and a covered camera stand in the queue, each with its camera', async () => {
  const began = Date.now();
  const matches = (text, wanted) => (wanted instanceof RegExp ? wanted.test(text) : text === wanted);
  const found = await until(
    async () => {
      const { items } = await here.hub.get('/api/v1/incidents?state=all');
      const all = WANTED.map(({ hazard, source }) => items.find((one) => one.hazard === hazard && one.sources.some((id) => matches(id, source))));
      return all.every(Boolean) && all;
    },
    'all three incidents',
    LIMIT_MS,
    500,
  );
  const took = Date.now() - began;
  for (const [i, { camera }] of WANTED.entries()) {
    const [nearest] = await here.hub.get(`/api/v1/incidents/${found[i].id}/cameras`, 'operator');
    assert.equal(nearest?.source.id, camera, `the first camera of ${found[i].title.zh}`);
    assert.ok(nearest.looks_at);
  }
  assert.ok(took < LIMIT_MS, `${took} ms`);
  await here.page({}, async (page) => {
    await logIn(page, here.hub);
    await visit(page, here.hub, `/incidents/${found[1].id}`);
    const tile = page.getByRole('group', { name: /东门物流堆场一号院 实时画面/ });
    await tile.waitFor();
    await until(async () => (await tile.getAttribute('data-fresh')) === 'live', 'the yard to be seen live');
  });
});
