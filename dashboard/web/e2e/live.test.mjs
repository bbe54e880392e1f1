// Live pictures as a person sees them: they move, they tell their age, and they say why when they do not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logIn, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { world } from './harness/world.mjs';

const here = world();

/** The town's cameras that give pictures: not the residents', which are closed. */
async function cameras() {
  const { items } = await here.hub.get('/api/v1/sources?kind=camera&limit=1000');
  return items.filter((camera) => camera.owner !== 'resident');
}

const tileOf = (page, camera) => page.getByRole('group', { name: `${camera.name} 实时画面` });

/** Puts cameras on the wall, by the address that a colleague would be sent. */
async function wall(page, ids) {
  const layout = [1, 4, 9, 16].find((size) => size >= ids.length);
  await visit(page, here.hub, `/wall?w=${encodeURIComponent(`${layout}:${ids.join(',')}`)}`);
}

/** Counts frames that the browser presents, by its own callback, and the age that the tile prints meanwhile. */
const watch = (tile, frames) =>
  tile.evaluate(
    (figure, wanted) =>
      new Promise((resolve, reject) => {
        const video = figure.querySelector('video');
        const ages = [];
        const times = [];
        setTimeout(() => reject(new Error(`${times.length} of ${wanted} frames in 30 s; ${figure.innerText}`)), 30_000);
        const next = (_, { mediaTime }) => {
          times.push(mediaTime);
          ages.push(Number(figure.dataset.age));
          if (times.length >= wanted) resolve({ times, ages, width: video.videoWidth, text: figure.innerText });
          else video.requestVideoFrameCallback(next);
        };
        video.requestVideoFrameCallback(next);
      }),
    frames,
  );

test('H.264 frames advance in a tile, and their age is true and small', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub);
    const [camera] = await cameras();
    await wall(page, [camera.id]);
    const tile = tileOf(page, camera);
    await tile.waitFor();
    const seen = await watch(tile, 45);
    assert.ok(seen.width >= 320, `the picture is ${seen.width} pixels wide`);
    assert.ok(
      seen.times.every((time, i) => i === 0 || time >= seen.times[i - 1]),
      'time runs forward',
    );
    assert.ok(seen.times.at(-1) - seen.times[0] > 1, 'more than a second of video');
    const late = seen.ages.slice(-20).filter((age) => !(age >= 0 && age < 2_000));
    assert.deepEqual(late, [], 'frames are younger than two seconds');
    assert.match(seen.text, /\d\.\d 秒/);
    assert.match(seen.text, /H\.264/);
  }));

test('four tiles play at once', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub);
    const some = (await cameras()).slice(0, 4);
    await wall(
      page,
      some.map((camera) => camera.id),
    );
    await Promise.all(some.map((camera) => watch(tileOf(page, camera), 15)));
  }));

test('a picture that stands still is veiled with its age, and plays again by itself', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub);
    const camera = (await cameras()).at(-1);
    await wall(page, [camera.id]);
    const tile = tileOf(page, camera);
    await watch(tile, 5);
    await here.town.camera(camera.id, { offline: true });
    await tile.getByText(/秒前的画面|最后画面/).waitFor();
    await tile.getByText(/最后画面 \d\d:\d\d:\d\d/).waitFor();
    await tile.getByText('非实时').waitFor();
    await here.town.camera(camera.id, { offline: false });
    await until(async () => (await tile.getAttribute('data-fresh')) === 'live', 'the picture to be live again', 90_000);
    await watch(tile, 10);
  }));

test("a resident's camera is closed until a purpose is given, and the audit has it", () =>
  here.page({}, async (page) => {
    const { items } = await here.hub.get('/api/v1/sources?kind=camera&owner=resident&limit=1', 'admin');
    assert.equal(items.length, 1, 'the town has a camera of a resident');
    await logIn(page, here.hub);
    await wall(page, [items[0].id]);
    const tile = tileOf(page, items[0]);
    await tile.getByText('村民自设摄像头，默认关闭').waitFor();
    await tile.getByRole('button', { name: '说明用途并打开' }).click();
    await page.getByRole('dialog').getByLabel('用途').fill('核实三号院的烟感报警');
    await page.getByRole('dialog').getByRole('button', { name: /打开 15 分钟/ }).click();
    await watch(tile, 10);
    const { items: rows } = await here.hub.get('/api/v1/audit?limit=200', 'admin');
    assert.ok(JSON.stringify(rows).includes('核实三号院的烟感报警'), 'the purpose is in the audit');
  }));

test('H.265 that this browser cannot play is refused with the right words, and stills are shown', () =>
  here.page({}, async (page) => {
    // The town speaks H.264 only; the socket is told otherwise on its way, the stills are the hub's own.
    await page.routeWebSocket(/\/api\/v1\/live$/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) =>
        socket.send(typeof message === 'string' ? message.replace(/"codec":"avc1[^"]*"/, '"codec":"hvc1.1.6.L93.B0"') : message),
      );
    });
    await logIn(page, here.hub);
    const [camera] = await cameras();
    await wall(page, [camera.id]);
    const tile = tileOf(page, camera);
    await tile.getByText(/此浏览器不能播放 H\.265/).waitFor();
    await tile.getByText('静态图', { exact: true }).waitFor();
    await until(async () => (await tile.getAttribute('data-fresh')) === 'live', 'a still that is fresh');
    assert.equal(await tile.getAttribute('data-mode'), 'jpeg');
  }));

test('the hub is killed: the bar says so, the picture ages; it comes back and all goes on', () =>
  here.page({}, async (page) => {
    await logIn(page, here.hub);
    const [camera] = await cameras();
    await wall(page, [camera.id]);
    const tile = tileOf(page, camera);
    await watch(tile, 10);
    await here.hub.kill();
    const bar = page.getByRole('alert').filter({ hasText: '连接中断' });
    await bar.waitFor();
    await bar.getByText(/画面数据停留在 \d\d:\d\d:\d\d/).waitFor();
    await tile.getByText(/秒前的画面/).waitFor();
    // Read out once: what the alert says stays, while the seconds beside it run.
    const seconds = bar.locator('..').getByText(/^已 \d\d:\d\d$/);
    const before = await seconds.textContent();
    const changes = await bar.evaluate(
      (alert) =>
        new Promise((resolve) => {
          let seen = 0;
          const observer = new MutationObserver((records) => (seen += records.length));
          observer.observe(alert, { subtree: true, childList: true, characterData: true });
          setTimeout(() => resolve(seen), 3_000);
        }),
    );
    assert.equal(changes, 0, 'the alert is not read out again');
    assert.notEqual(await seconds.textContent(), before, 'the seconds run');
    await here.hub.start();
    await bar.waitFor({ state: 'detached', timeout: 60_000 });
    await until(async () => (await tile.getAttribute('data-fresh')) === 'live', 'the picture to be live again', 60_000);
    await watch(tile, 10);
    assert.match(page.url(), /\/wall/, 'the log-in has lasted');
  }));
