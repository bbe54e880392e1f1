// Measures the live path in a real browser: how long a tile takes to its first picture, and how old pictures are.
//
//   node scripts/latency.mjs --url http://127.0.0.1:8080 --user NAME --password P
//        [--tiles 1,16] [--seconds 20] [--runs 1] [--cameras id,id] [--json]
//
// It trusts nothing of the console: it reads the packets itself as they arrive, and asks the browser which frame it shows.
// Age is the moment of the browser's frame callback minus the hub's stamp, so hub and browser must share a clock: run
// it on the hub's machine. First picture is counted from the subscription's sending to the first frame callback.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

/** Frames of the start say how a tile starts, not how it runs. */
const WARM_UP_MS = 4_000;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
];
const CHROMIUM = process.env['CHROMIUM'] ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const { values: given } = parseArgs({
  options: {
    url: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string' },
    tiles: { type: 'string', default: '1,16' },
    seconds: { type: 'string', default: '20' },
    runs: { type: 'string', default: '1' },
    cameras: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
if (!given.url || !given.user || !given.password) {
  console.error('needs --url, --user and --password; see the head of this file');
  process.exit(64);
}

/** Runs in the page before anything of the console. */
function watch() {
  const tiles = new Map();
  const of = (tile) => tiles.get(tile) ?? tiles.set(tile, { source: '', askedAt: 0, timescale: 90_000, walls: new Map(), first: undefined, ages: [] }).get(tile);
  const now = () => performance.timeOrigin + performance.now();
  window.liveTiles = tiles;

  const tfdt = (bytes) => {
    for (let at = 0; at + 20 < Math.min(bytes.length, 400); at += 1) {
      if (bytes[at] !== 0x74 || bytes[at + 1] !== 0x66 || bytes[at + 2] !== 0x64 || bytes[at + 3] !== 0x74) continue;
      const view = new DataView(bytes.buffer, bytes.byteOffset + at + 4);
      return view.getUint8(0) ? view.getUint32(4) * 2 ** 32 + view.getUint32(8) : view.getUint32(4);
    }
    return undefined;
  };

  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') {
          const message = JSON.parse(data);
          if (message.type === 'hello') Object.assign(of(message.t), { timescale: message.timescale, codec: message.codec, size: `${message.width}x${message.height}` });
        } else if (data instanceof ArrayBuffer && data.byteLength > 12) {
          const view = new DataView(data);
          const ticks = tfdt(new Uint8Array(data, 12));
          const tile = of(view.getUint16(0));
          // In whole milliseconds, as precise as a browser tells the time of a frame.
          if (ticks !== undefined) tile.walls.set(Math.round((ticks / tile.timescale) * 1_000), view.getUint32(4) * 2 ** 32 + view.getUint32(8));
        }
      });
    }
    send(text) {
      for (const { t, source } of JSON.parse(text).sub ?? []) Object.assign(of(t), { source, askedAt: now() });
      super.send(text);
    }
  };

  const real = HTMLVideoElement.prototype.requestVideoFrameCallback;
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (run) {
    return real.call(this, (at, frame) => {
      const source = this.closest('[data-source]')?.dataset.source;
      const tile = [...tiles.values()].filter((one) => one.source === source).at(-1);
      if (tile) {
        const shownAt = performance.timeOrigin + at;
        tile.first ??= shownAt - tile.askedAt;
        const ms = Math.round(frame.mediaTime * 1_000);
        const wall = tile.walls.get(ms) ?? tile.walls.get(ms - 1) ?? tile.walls.get(ms + 1);
        if (wall !== undefined) tile.ages.push([shownAt, shownAt - wall]);
      }
      run(at, frame);
    });
  };
}

async function cpuSeconds(session) {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function logIn(page) {
  await page.goto(`${given.url}/login`);
  const status = await page.evaluate(async ([username, password]) => {
    const headers = { 'Content-Type': 'application/json', 'X-Gridward': '1' };
    const answer = await fetch('/api/v1/session', { method: 'POST', headers, body: JSON.stringify({ username, password }) });
    return answer.status;
  }, [given.user, given.password]);
  if (status !== 200) throw new Error(`the log-in was answered with ${status}`);
}

async function camerasFor(page, count) {
  if (given.cameras) return given.cameras.split(',');
  const items = await page.evaluate(async () => (await (await fetch('/api/v1/sources?kind=camera&limit=1000')).json()).items);
  const open = items.filter((camera) => camera.owner !== 'resident');
  const rank = { live: 0, degraded: 1, idle: 2, connecting: 3 };
  open.sort((a, b) => (rank[a.state] ?? 9) - (rank[b.state] ?? 9));
  if (open.length < count) throw new Error(`${count} cameras are needed, ${open.length} are there`);
  return open.slice(0, count).map((camera) => camera.id);
}

/** The smallest wall that holds the tiles, on a window in which `auto` is the sub stream for more than one. */
async function measure(browser, count) {
  const context = await browser.newContext({ viewport: { width: 1_920, height: 1_080 } });
  await context.addInitScript(watch);
  const page = await context.newPage();
  await logIn(page);
  const cameras = (await camerasFor(page, count)).slice(0, count);
  const layout = [1, 4, 9, 16].find((places) => places >= count);
  if (!layout) throw new Error('a wall holds at most 16 tiles');
  await page.goto(`${given.url}/wall?w=${encodeURIComponent(`${layout}:${cameras.join(',')}`)}`);
  await page.waitForFunction((n) => [...window.liveTiles.values()].filter((tile) => tile.first !== undefined).length >= n, count, { timeout: 60_000 });
  await page.waitForTimeout(WARM_UP_MS);
  const session = await browser.newBrowserCDPSession();
  const [cpuBefore, began] = [await cpuSeconds(session), Date.now()];
  await page.waitForTimeout(Number(given.seconds) * 1_000);
  const cpu = (await cpuSeconds(session)) - cpuBefore;
  const tiles = await page.evaluate((from) => [...window.liveTiles.values()]
    .filter((tile) => tile.first !== undefined)
    .map(({ first, ages, codec, size }) => ({ first, codec, size, ages: ages.filter(([at]) => at >= from).map(([, age]) => age) })), began);
  const ages = tiles.flatMap((tile) => tile.ages).sort((a, b) => a - b);
  const firsts = tiles.map((tile) => tile.first).sort((a, b) => a - b);
  await context.close();
  const at = (sorted, share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN);
  return {
    tiles: count,
    stream: [...new Set(tiles.map((tile) => `${tile.codec} ${tile.size}`))].join(', '),
    frames: ages.length,
    age_ms: { p50: at(ages, 0.5), p95: at(ages, 0.95), p99: at(ages, 0.99), max: at(ages, 1) },
    first_picture_ms: { p50: at(firsts, 0.5), p95: at(firsts, 0.95), max: at(firsts, 1) },
    browser_cpu_percent: Math.round((cpu / Number(given.seconds)) * 100),
  };
}

const results = [];
for (const count of given.tiles.split(',').map(Number)) {
  for (let run = 0; run < Number(given.runs); run += 1) {
    // A browser of its own, so that no run begins on the caches of another.
    const browser = await chromium.launch({ ...(CHROMIUM ? { executablePath: CHROMIUM } : {}), args: FLAGS });
    try {
      results.push(await measure(browser, count));
    } finally {
      await browser.close();
    }
  }
}
if (given.json) {
  console.log(JSON.stringify(results, null, 2));
} else {
  console.log('| tiles | stream | age p50 / p95 / p99 ms | first picture p50 / max ms | browser CPU | frames |\n|---|---|---|---|---|---|');
  for (const r of results) {
    const { age_ms: age, first_picture_ms: first } = r;
    console.log(`| ${r.tiles} | ${r.stream} | ${age.p50} / ${age.p95} / ${age.p99} | ${first.p50} / ${first.max} | ${r.browser_cpu_percent} % | ${r.frames} |`);
  }
}
