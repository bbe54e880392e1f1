// Emergency mode: a lead begins it, everyone it concerns sees where, why and at whose cost, and a lead ends it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, logIn, shot, SIZES, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

const REASON = '东门河段漫堤，群众转移';
let area;

// As many places as the town's always pulled cameras take: a camera on demand in the area costs one of the others its place.
const here = world({ env: { GRIDWARD_RTSP__SESSIONS_MAX: '16' } }, async ({ hub }) => {
  await until(async () => (await hub.get('/api/v1/sources?kind=camera&state=live')).total === 16, 'the cameras to be live');
  const { grid } = await hub.get('/api/v1/sources/cam-street-5');
  area = (await hub.get('/api/v1/grids')).find(({ id }) => id === grid);
});

const barOf = (page) => page.getByRole('region', { name: /^(应急模式|Emergency mode)$/ });

/** What axe finds, and by how much the page is wider than the screen. */
async function flaws(page, name) {
  await page.waitForTimeout(300); // transitions of colour, which would be measured half-way
  await shot(page, `emergency-${name}`);
  assert.deepEqual(await axe(page), []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
}

test('a lead begins it, an operator sees it and its cost without the button that ends it, the lead ends it', () =>
  here.page({}, (lead) =>
    here.page({ lang: 'en', theme: 'dark' }, async (operator) => {
      await logIn(operator, here.hub);
      await visit(operator, here.hub, '/');
      await logIn(lead, here.hub, 'lead');
      await visit(lead, here.hub, '/');
      const account = lead.getByRole('button', { name: 'lead', exact: true });
      await account.click();
      await lead.getByRole('button', { name: '应急模式…' }).click();
      const dialog = lead.getByRole('dialog', { name: '进入应急模式' });
      const begin = dialog.getByRole('button', { name: '进入应急模式' });

      // Nothing is begun by a slip.
      await dialog.getByLabel('时长').fill('100');
      await begin.click();
      for (const missing of ['请选择区域', '请填写原因', '请填写 1 至 72 的整数']) await dialog.getByText(missing).waitFor();
      await flaws(lead, 'refused');
      await lead.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.ok(await account.evaluate((button) => button === document.activeElement), 'the focus is back at the menu');
      assert.equal((await here.hub.get('/api/v1/emergency')).emergency, null);

      await account.click();
      await lead.getByRole('button', { name: '应急模式…' }).click();
      await dialog.getByLabel('区域').selectOption(area.id);
      await dialog.getByText(/^区域内 \d+ 台摄像头$/).waitFor();
      await dialog.getByLabel('原因').fill(REASON);
      await dialog.getByLabel('时长').fill('2');
      await begin.click();
      await dialog.waitFor({ state: 'detached' });

      const { cost } = (await here.hub.get('/api/v1/emergency')).emergency;
      const shed = cost.shed_usual + cost.shed_key_sites;
      assert.ok(cost.opened >= 1 && shed === cost.opened && cost.shed_watched === 0, JSON.stringify(cost));
      for (const text of [`应急模式：${area.name}`, REASON, '还剩 1:59:', `拉流 ${cost.streams} 路`, `其余让出 ${shed} 路`, '发起人：lead']) {
        await barOf(lead).getByText(text).first().waitFor();
      }
      const bar = barOf(operator);
      for (const text of [`Emergency mode: ${area.name}`, REASON, /^\d+ streams? elsewhere made room/, 'Begun by lead']) {
        await bar.getByText(text).first().waitFor();
      }
      assert.equal(await bar.getByRole('button').count(), 0, 'an operator does not end it');
      assert.ok(!/ left/.test(await bar.getByRole('alert').innerText()), 'what changes each second is not read out again and again');
      for (const path of ['/incidents', '/wall', '/sources', '/no-such-page']) {
        await visit(operator, here.hub, path);
        await bar.getByText(area.name).waitFor();
      }

      await barOf(lead).getByRole('button', { name: '结束应急模式' }).click();
      const sure = lead.getByRole('dialog', { name: '结束应急模式' });
      await sure.getByText(`${area.name}的摄像头恢复平时的拉流方式`).waitFor();
      await flaws(lead, 'end');
      await sure.getByRole('button', { name: '取消' }).click();
      assert.ok((await here.hub.get('/api/v1/emergency')).emergency, 'a second thought ends nothing');
      await barOf(lead).getByRole('button', { name: '结束应急模式' }).click();
      await sure.getByRole('button', { name: '结束应急模式' }).click();
      for (const page of [lead, operator]) await barOf(page).waitFor({ state: 'detached' });
      await visit(lead, here.hub, '/audit');
      for (const did of ['进入应急模式', '结束应急模式']) await lead.getByRole('row').filter({ hasText: did }).filter({ hasText: REASON }).first().waitFor();
    }),
  ));

for (const [lang, theme, size] of [['zh', 'light', SIZES.desk], ['en', 'dark', SIZES.desk], ['zh', 'light', SIZES.phone]]) {
  test(`bar and dialog are well made in ${lang}, ${theme}, ${size.width} px`, () =>
    here.page({ lang, theme, size }, async (page) => {
      await here.hub.post('/api/v1/emergency', { grids: [area.id], reason: REASON.repeat(8), hours: 8 }, 'lead');
      await logIn(page, here.hub, 'lead');
      await visit(page, here.hub, '/');
      const bar = barOf(page);
      await bar.getByText(area.name).waitFor();
      const isPhone = size === SIZES.phone;
      const high = (await bar.boundingBox()).height;
      assert.ok(high <= (isPhone ? 90 : 60), `the bar takes ${high} px from the screen`);
      const look = `${lang}-${theme}-${size.width}`;
      await flaws(page, `bar-${look}`);
      if (isPhone) {
        await bar.getByRole('button', { name: '详情' }).click();
        await bar.getByText(/其余让出 \d+ 路/).waitFor();
        await flaws(page, `bar-unfolded-${look}`);
        await page.getByRole('button', { name: '更多' }).click();
      } else await page.getByRole('button', { name: 'lead', exact: true }).click();
      await page.getByRole('button', { name: /^(应急模式|Emergency mode)…$/ }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText(new RegExp(`（${area.name}）将被替换|the one that is on \\(${area.name}\\)`)).waitFor();
      await flaws(page, `dialog-${look}`);
    }));
}
