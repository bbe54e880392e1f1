// The log-in: wrong passwords, the lock-out, the way back to where one was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PASSWORD } from './harness/town.mjs';
import { world } from './harness/world.mjs';

const here = world();

async function enter(page, name, password) {
  await page.getByLabel('用户名').fill(name);
  await page.getByLabel('密码').fill(password);
  await page.getByLabel('密码').press('Enter');
}

test('whoever is not logged in is asked to, and then is where they wanted to be', () =>
  here.page({}, async (page) => {
    await page.goto(`${here.hub.url}/sources`);
    await page.getByLabel('用户名').waitFor();
    assert.match(page.url(), /\/login\?next=%2Fsources$/);
    assert.ok(await page.getByLabel('用户名').evaluate((box) => box === document.activeElement), 'the name has the focus');
    await enter(page, 'operator', PASSWORD);
    await page.waitForURL(`${here.hub.url}/sources`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByRole('button', { name: 'operator' }).click();
    await page.getByRole('button', { name: '退出登录' }).click();
    await page.waitForURL(/\/login/);
    await page.goto(`${here.hub.url}/incidents`);
    await page.waitForURL(/\/login\?next=%2Fincidents/);
  }));

test('a wrong password is told and empties the box; nobody is sent to another site', () =>
  here.page({}, async (page) => {
    await page.goto(`${here.hub.url}/login?next=//elsewhere.example/x`);
    await enter(page, 'viewer', 'not-the-password');
    await page.getByRole('alert').getByText('用户名或密码不正确').waitFor();
    assert.equal(await page.getByLabel('密码').inputValue(), '');
    await enter(page, 'viewer', PASSWORD);
    await page.waitForURL(`${here.hub.url}/`);
  }));

test('after too many tries the name is locked, with the seconds left, in both languages', () =>
  here.page({ lang: 'en' }, async (page) => {
    await page.goto(`${here.hub.url}/login`);
    const alert = page.getByRole('alert');
    let status = 0;
    for (let tries = 0; status !== 429 && tries < 10; tries += 1) {
      await page.getByLabel('Name').fill('lead');
      await page.getByLabel('Password').fill(`wrong-${tries}`);
      const answered = page.waitForResponse((response) => response.url().endsWith('/api/v1/session') && response.request().method() === 'POST');
      await page.getByLabel('Password').press('Enter');
      status = (await answered).status();
    }
    await alert.getByText(/\b\d+ s\b/).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Log in' }).isDisabled());
    await page.getByRole('button', { name: '中文' }).click();
    await alert.getByText(/\d+ 秒/).waitFor();
  }));
