// How sources are: what went away together is one group with its guess, rates lead to the list, and a source tells its day.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { axe, logIn, shot, SIZES, visit } from './harness/browser.mjs';
import { freePort, until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

const HEADER = 'id,kind,class,name,owner,grid,lon,lat,url,username,password,mode,topic,format,unit,interval_s,tags';
let grid;

// Six cameras behind a recorder where nobody listens, beside a town that is well.
const here = world({}, async ({ dir, hub }) => {
  const port = await freePort();
  const live = await until(async () => (await hub.get('/api/v1/sources?kind=camera&state=live&limit=1')).items[0], 'a live camera');
  grid = live.grid;
  const rows = [1, 2, 3, 4, 5, 6].map((n) => `nvr-${n},camera,street,仓库 ${n} 号,telecom,${grid},,,rtsp://127.0.0.9:${port}/ch${n},,,always,,,,,`);
  const path = join(dir, 'more.csv');
  await writeFile(path, [HEADER, ...rows, ''].join('\n'));
  hub.command(['sources', 'import', path]);
  await until(async () => (await hub.get('/api/v1/outages')).groups.some(({ away }) => away === 6), 'the recorder to be one group');
});

test('an outage of one recorder is one group, whose members lead to their pages', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub);
    await visit(page, here.hub, '/sources');
    await page.getByRole('link', { name: '中断', exact: true }).click();
    assert.match(page.url(), /view=outages/);
    const group = page.getByRole('article', { name: /录像机 127\.0\.0\.9/ });
    await group.getByText('6 路摄像头中 6 路中断').waitFor();
    await group.getByText(/摄像头拒绝连接 ×6/).waitFor();
    await group.getByRole('button', { name: '查看成员' }).click();
    assert.match(page.url(), /group=camera%3Arecorder%3A127\.0\.0\.9/, 'a colleague can be sent what is seen');
    const members = page.getByRole('grid', { name: /录像机 127\.0\.0\.9/ });
    await members.getByRole('link', { name: '仓库 6 号' }).waitFor();
    assert.equal(await members.getAttribute('aria-rowcount'), '7');
    await members.getByRole('link', { name: '仓库 3 号' }).click();
    await page.getByRole('heading', { level: 1, name: '仓库 3 号' }).waitFor();
    // The strip says in words what it shows; the time before the hub is not made up.
    const strip = page.getByRole('img', { name: /^最近 24 小时：/ });
    const said = await strip.getAttribute('aria-label');
    assert.match(said, /离线 \d+:\d\d/);
    assert.match(said, /未知：系统未运行 2\d:\d\d:\d\d/);
    const log = page.getByRole('grid', { name: '连接记录' });
    await log.getByText('摄像头拒绝连接').first().waitFor();
    await page.getByText('出现过的原因与处置').click();
    assert.ok((await page.getByText('检查摄像头是否启用 RTSP，端口是否正确。').count()) >= 2, 'what to do, now and in the log');
  }));

test('rates by owner and grid lead to the sources they are about', () =>
  here.page({ lang: 'en' }, async (page) => {
    await logIn(page, here.hub);
    await visit(page, here.hub, '/sources?view=rates&kind=camera');
    const telecom = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: /telecom/i }) });
    await telecom.first().waitFor();
    const { owners } = await here.hub.get('/api/v1/rates?kind=camera');
    const told = owners.find(({ owner }) => owner === 'telecom');
    assert.ok(told.away >= 6 && told.online_rate < 1, JSON.stringify(told));
    await telecom.getByText(String(told.total), { exact: true }).first().waitFor();
    await telecom.getByRole('link', { name: /needs attention/ }).click();
    assert.deepEqual(['owner', 'state', 'kind'].map((name) => new URL(page.url()).searchParams.get(name)), ['telecom', 'attention', 'camera']);
    const list = page.getByRole('grid', { name: 'Sources and health' });
    await list.getByRole('link', { name: '仓库 1 号' }).waitFor();
    assert.equal(Number(await list.getAttribute('aria-rowcount')) - 1, told.away);
  }));

test('a live camera tells what its streams are and whether this browser plays them', () =>
  here.page({ lang: 'en' }, async (page) => {
    const id = await until(async () => {
      const { items } = await here.hub.get('/api/v1/sources?kind=camera&state=live&limit=1000');
      return items.find(({ statuses }) => statuses.some(({ stream }) => stream?.gop_frames))?.id;
    }, 'a camera with measured facts');
    await logIn(page, here.hub);
    await visit(page, here.hub, `/sources/${id}`);
    const streams = page.getByRole('table').filter({ has: page.getByRole('rowheader', { name: 'Plays in this browser?' }) });
    await streams.getByRole('cell', { name: /H\.264 \(avc1\.[0-9a-f]{6}\)/ }).first().waitFor();
    await streams.getByRole('cell', { name: /^(Yes|No): H\.264/ }).first().waitFor();
    await streams.getByRole('cell', { name: /\d+\.\d s · \d+ frames/ }).first().waitFor();
  }));

test('an administrator chooses what reads a camera, and sees it happen', () =>
  here.page({}, async (page) => {
    const id = 'cam-street-1';
    const readBy = async () => (await here.hub.get(`/api/v1/sources/${id}`)).statuses.find(({ state }) => state === 'live')?.stream?.backend;
    await until(async () => (await readBy()) === 'retina', 'the camera to be read by the hub itself');
    await logIn(page, here.hub, 'admin');
    await visit(page, here.hub, `/sources/${id}`);
    const panel = page.getByRole('region', { name: '视频流' });
    const choices = panel.getByRole('group', { name: '读取方式' });
    await panel.getByText('现用：系统自带').waitFor();
    assert.equal(await choices.getByRole('button', { name: '自动' }).getAttribute('aria-pressed'), 'true');
    await choices.getByRole('button', { name: 'FFmpeg' }).click();
    await page.getByText('读取方式已设为“FFmpeg”，此摄像头将重新连接').waitFor();
    await panel.getByText('现用：FFmpeg').waitFor();
    assert.equal(await readBy(), 'ffmpeg');
    const facts = page.getByRole('region', { name: '基本信息' });
    await facts.getByText('ffmpeg', { exact: true }).waitFor();
    await shot(page, 'sources-backend');
    assert.deepEqual(await axe(page), []);
    await choices.getByRole('button', { name: '自动' }).click();
    await panel.getByText('现用：系统自带').waitFor();
    await facts.getByText('ffmpeg', { exact: true }).waitFor({ state: 'detached' });
    await logIn(page, here.hub, 'lead');
    await visit(page, here.hub, `/sources/${id}`);
    await panel.getByRole('table').waitFor();
    assert.equal(await choices.count(), 0, 'for administrators');
  }));

for (const [lang, theme, size] of [['zh', 'light', SIZES.desk], ['en', 'dark', SIZES.desk], ['zh', 'light', SIZES.phone]]) {
  test(`axe finds nothing in ${lang}, ${theme}, ${size.width} px`, async (t) => {
    await here.page({ lang, theme, size }, async (page) => {
      await logIn(page, here.hub);
      const group = encodeURIComponent('camera:recorder:127.0.0.9');
      for (const [name, path] of Object.entries({
        rates: '/sources?view=rates',
        outages: `/sources?view=outages&group=${group}`,
        away: '/sources/nvr-2',
      })) {
        await t.test(name, async () => {
          await visit(page, here.hub, path);
          await page.getByRole('heading', { level: 1 }).first().waitFor();
          await page.locator('[aria-busy="true"], .skeleton').first().waitFor({ state: 'detached' });
          await page.waitForTimeout(500);
          await shot(page, `sources-${name}-${lang}-${theme}-${size.width}`);
          assert.deepEqual(await axe(page), []);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
        });
      }
    });
  });
}
