// The desk's work, by keyboard alone; and what two desks see of each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logIn, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

const here = world();

/** Starts an event of the town and waits for the incident that the hub raises by itself. */
async function raise(event, hazard) {
  await here.town.event(event);
  return until(
    async () => (await here.hub.get('/api/v1/incidents')).items.find((one) => one.hazard === hazard && !one.acknowledged_by),
    `an incident of ${hazard}`,
    120_000,
  );
}

/** Presses keys as a person does, one after the other. */
async function press(page, ...keys) {
  for (const key of keys) await page.keyboard.press(key);
}

test('an incident is found, acknowledged and taken by keyboard alone', () =>
  here.page({}, async (page) => {
    const incident = await raise('fire', 'fire');
    await logIn(page, here.hub);
    await visit(page, here.hub, '/');
    await press(page, 'g', 'i');
    await page.waitForURL(/\/incidents/);
    await page.getByText(incident.title.zh).first().waitFor();
    await press(page, 'j');
    const grave = ['red', 'orange'].includes(incident.level);
    await press(page, 'a');
    if (grave) await press(page, 'a');
    const seen = await until(
      async () => (await here.hub.get('/api/v1/incidents')).items.find((one) => one.id === incident.id && one.acknowledged_by),
      'the acknowledgement to reach the hub',
      20_000,
    );
    assert.equal(seen.acknowledged_by, 'operator');
    await press(page, 't');
    await until(
      async () => (await here.hub.get('/api/v1/incidents')).items.find((one) => one.id === incident.id)?.owner === 'operator',
      'the incident to be taken',
      20_000,
    );
    await press(page, 'Enter');
    await page.waitForURL(new RegExp(`/incidents/${incident.id}`));
    await page.getByRole('heading', { name: new RegExp(incident.title.zh) }).waitFor();
    await press(page, 'Escape');
    await page.waitForURL(/\/incidents(\?.*)?$/);
  }));

test('what one desk does, the other sees at once', () =>
  here.page({}, async (first) => {
    await logIn(first, here.hub, 'lead');
    await visit(first, here.hub, '/incidents');
    const incident = await raise('flood', 'flood');
    await first.getByText(incident.title.zh).first().waitFor();
    await here.page({ lang: 'en' }, async (second) => {
      await logIn(second, here.hub, 'operator');
      await visit(second, here.hub, `/incidents/${incident.id}`);
      await second.getByRole('heading', { level: 1, name: incident.title.en }).waitFor();
      await second.keyboard.press('a');
      if (['red', 'orange'].includes(incident.level)) await second.keyboard.press('a');
      await until(
        async () => (await here.hub.get('/api/v1/incidents')).items.find((one) => one.id === incident.id)?.acknowledged_by,
        'the acknowledgement to reach the hub',
        20_000,
      );
    });
    await first.goto(`${here.hub.url}/incidents/${incident.id}`);
    await first.getByText('operator').first().waitFor();
  }));
