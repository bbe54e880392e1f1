// What each file of tests starts with: one town, one hub, one browser.
import { after, before } from 'node:test';
import { launch, withPage } from './browser.mjs';
import { startTown } from './town.mjs';

/**
 * Starts the world before the file's tests, lets `prepare` change it, and ends it after them. The answer's fields are
 * there once tests run; `page` gives a test a page of its own.
 */
export function world(options, prepare) {
  const here = {
    /** Runs `test` with a page that is asserted on at its end; see `openPage` for what may be given. */
    page: (given, test) => withPage(here.browser, here.hub, given, test),
  };
  before(async () => {
    Object.assign(here, await startTown(options));
    here.browser = await launch();
    await prepare?.(here);
  });
  after(async () => {
    await here.browser?.close();
    await here.end?.();
  });
  return here;
}
