// A browser of Debian's, driven by playwright-core; every page watched for what must never happen.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { PASSWORD } from './town.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SHOTS = fileURLToPath(new URL('../shots/', import.meta.url));
const FLAGS = [
  '--no-sandbox', // the tests' user may be root; the only pages are the hub's own
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

export const SIZES = { desk: { width: 1920, height: 1080 }, phone: { width: 390, height: 844 } };

export const launch = () =>
  chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: FLAGS });

/**
 * A page in a browser profile of its own. `close` asserts that it asked nobody but the hub for anything and that no
 * script failed.
 */
export async function openPage(browser, hub, { lang = 'zh', theme = 'light', size = SIZES.desk, motion = 'no-preference' } = {}) {
  const context = await browser.newContext({
    viewport: size,
    locale: lang === 'zh' ? 'zh-CN' : 'en-GB',
    timezoneId: 'Asia/Shanghai',
    colorScheme: theme,
    reducedMotion: motion,
  });
  await context.addInitScript(
    ([key, saved]) => localStorage.getItem(key) ?? localStorage.setItem(key, JSON.stringify(saved)),
    ['gridward.settings', { lang, theme, keys: true }],
  );
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const origin = new URL(hub.url).host;
  const outside = [];
  const failures = [];
  const seen = (url) => {
    const { protocol, host } = new URL(url);
    if (!['data:', 'blob:', 'about:'].includes(protocol) && host !== origin) outside.push(url);
  };
  context.on('request', (request) => seen(request.url()));
  page.on('websocket', (socket) => seen(socket.url()));
  page.on('pageerror', (error) => failures.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) failures.push(message.text());
  });
  page.check = () => {
    assert.deepEqual(outside, [], 'requests to other places than the hub');
    assert.deepEqual(failures, [], 'scripts of the page failed');
  };
  page.end = async () => {
    await context.close();
    page.check();
  };
  return page;
}

/** Runs a test with a page of its own, and asserts what holds for every page at its end. */
export async function withPage(browser, hub, options, test) {
  const page = await openPage(browser, hub, options);
  try {
    await test(page);
  } catch (error) {
    const name = `failed-${Date.now()}`;
    await shot(page, name).catch(() => {});
    console.error(`failed at ${page.url()}, see e2e/shots/${name}.png`);
    await page.context().close();
    throw error;
  }
  await page.end();
}

/** Logs in through the API, so that tests of other things do not repeat the log-in by hand. */
export async function logIn(page, hub, role = 'operator') {
  const answer = await page.request.post(`${hub.url}/api/v1/session`, { data: { username: role, password: PASSWORD } });
  assert.equal(answer.status(), 200, await answer.text());
}

/** Opens a path and waits until its screen stands. */
export async function visit(page, hub, path) {
  await page.goto(hub.url + path);
  await page.getByRole('main').waitFor();
}

/** What axe finds against WCAG 2.2 A and AA, as readable lines. */
export async function axe(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(await readFile(AXE, 'utf8'));
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      resultTypes: ['violations'],
    }),
  );
  return violations.map(
    ({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 5).map((n) => `    ${n.html.slice(0, 160)}\n      ${n.any[0]?.message ?? n.failureSummary}`).join('\n')}`,
  );
}

/** Saves a picture of what the page shows. */
export async function shot(page, name) {
  await mkdir(SHOTS, { recursive: true });
  const path = `${SHOTS}${name}.png`;
  await page.screenshot({ path });
  return path;
}
