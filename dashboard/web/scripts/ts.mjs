// Lets `node --import ./scripts/ts.mjs --test` import the console's TypeScript, runes too, without building it.
import { register } from 'node:module';

register('./ts-hooks.mjs', import.meta.url);
