// The list of a whole town: 13,000 cameras, thin streams so that one machine carries them, all live. Takes a picture of it in
// Chinese and light and one in English and dark, and measures how it scrolls.
//   E2E_PROFILE=release node e2e/whole-town.mjs FOLDER [CAMERAS]
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch, logIn, openPage, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { startTown } from './harness/town.mjs';

const [folder, cameras = 13_000] = [process.argv[2], Number(process.argv[3] ?? 13_000)];
if (!folder || !Number.isInteger(cameras) || cameras < 1) {
  console.error('usage: node e2e/whole-town.mjs FOLDER [CAMERAS]');
  process.exit(2);
}
const SIZE = { width: 1600, height: 900 };
const SCROLL_MS = 10_000;
/** Rows a second: a hand that looks for something. */
const ROWS_PER_S = 60;

/** Frame times in ms while the list is scrolled, and how often a row in sight was not drawn. */
const scroll = (page) =>
  page.evaluate(
    ([duration, rowsPerSecond]) =>
      new Promise((done) => {
        const box = document.querySelector('[role=grid]');
        const row = box.querySelector('[role=rowgroup] [role=row]').getBoundingClientRect().height;
        const [frames, began] = [[], performance.now()];
        let [last, gaps] = [began, 0];
        const step = (now) => {
          frames.push(now - last);
          last = now;
          const { left, top, height, width } = box.getBoundingClientRect();
          const middle = document.elementFromPoint(left + width / 2, top + height / 2);
          if (!middle?.closest('[role=row]')) gaps += 1;
          if (now - began > duration) return done({ frames: frames.slice(1), gaps });
          box.scrollTop = ((now - began) / 1_000) * rowsPerSecond * row;
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    [SCROLL_MS, ROWS_PER_S],
  );

await mkdir(folder, { recursive: true });
// All cameras are one machine here, so the budget of connections is open.
const env = {
  GRIDWARD_RTSP__CONNECTS_PER_S: '2000',
  GRIDWARD_RTSP__CONNECT_BURST: '1000',
  GRIDWARD_RTSP__CONNECTING_MAX: '512',
  GRIDWARD_RTSP__CONNECTING_PER_HOST_MAX: '512',
  RUST_LOG: 'warn',
};
const townArgs = ['--quiet-script', '--only-load', '--load', String(cameras), '--load-fps', '1'];
const { hub, end } = await startTown({ townArgs, env });
const began = Date.now();
const browser = await launch();
try {
  const live = async () => {
    const text = await (await fetch(`${hub.url}/metrics`)).text();
    return Number(/^gridward_sources\{kind="camera",state="live"\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  await until(async () => (await live()) >= cameras, `${cameras} live cameras`, 180_000, 200);
  console.log(`${cameras} cameras live ${((Date.now() - began) / 1_000).toFixed(1)} s after the import`);
  for (const look of [
    { lang: 'zh', theme: 'light' },
    { lang: 'en', theme: 'dark' },
  ]) {
    const page = await openPage(browser, hub, { ...look, size: SIZE });
    await logIn(page, hub);
    await visit(page, hub, '/sources?kind=camera');
    const list = page.getByRole('grid');
    await until(async () => (await list.getAttribute('aria-rowcount')) === String(cameras + 1), 'all rows');
    // A gesture, after which the browser blocks sound no more and the head says so no more.
    await page.getByRole('heading', { level: 1 }).click();
    await page.waitForTimeout(3_000);
    const file = join(folder, `sources-${look.lang}-${look.theme}.png`);
    await page.screenshot({ path: file });
    const { frames, gaps } = await scroll(page);
    frames.sort((a, b) => a - b);
    const at = (q) => frames[Math.floor((frames.length - 1) * q)].toFixed(1);
    console.log(
      `wrote ${file}; scrolled ${SCROLL_MS / 1_000} s: ${frames.length} frames, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, ` +
        `max ${at(1)} ms, ${gaps} without a row in the middle; ${await live()} live`,
    );
    await page.end();
  }
} finally {
  await browser.close();
  await end();
}
