// Takes the README's picture: the town's own script runs until its three demo incidents stand in the queue, then an
// operator looks at the fire.   node e2e/picture.mjs [FILE]
import { fileURLToPath } from 'node:url';
import { launch, openPage, visit } from './harness/browser.mjs';
import { until } from './harness/process.mjs';
import { PASSWORD, startTown } from './harness/town.mjs';

const file = process.argv[2] ?? fileURLToPath(new URL('../../../docs/console.png', import.meta.url));
const { hub, end } = await startTown({ townArgs: [] });
const browser = await launch();
try {
  const fire = await until(
    async () => {
      const { items } = await hub.get('/api/v1/incidents?state=all');
      const all = ['flood', 'fire', 'equipment'].every((hazard) => items.some((one) => one.hazard === hazard));
      return all && items.find((one) => one.hazard === 'fire');
    },
    'a flood, a fire and a covered camera',
    180_000,
    1_000,
  );
  const page = await openPage(browser, hub, { size: { width: 1600, height: 900 } });
  await page.goto(`${hub.url}/login`);
  await page.getByLabel('用户名').fill('operator');
  await page.getByLabel('密码').fill(PASSWORD);
  await page.getByLabel('密码').press('Enter');
  await visit(page, hub, '/');
  await page.getByText(fire.title.zh).first().click();
  const tile = page.getByRole('group', { name: /东门物流堆场一号院 实时画面/ });
  await until(async () => (await tile.getAttribute('data-fresh')) === 'live', 'the yard to be seen live');
  // The map glides to the place and the curves are drawn.
  await page.waitForTimeout(4_000);
  await page.screenshot({ path: file });
  await page.end();
  console.log(`wrote ${file}`);
} finally {
  await browser.close();
  await end();
}
