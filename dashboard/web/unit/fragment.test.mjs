import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startTicks } from '../src/live/fragment.ts';

const u32 = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const box = (type, ...content) => {
  const inner = content.flat();
  return [...u32(inner.length + 8), ...[...type].map((c) => c.charCodeAt(0)), ...inner];
};
const tfdt = (ticks) => box('tfdt', u32(0x0100_0000), u32(Math.floor(ticks / 2 ** 32)), u32(ticks % 2 ** 32));
/** One sample with duration, size, flags and, with `offset`, a composition offset. */
const trun = (offset) =>
  box('trun', u32(0x0100_0000 | 0x701 | (offset === undefined ? 0 : 0x800)), u32(1), u32(108), u32(3_600), u32(5), u32(0), offset === undefined ? [] : u32(offset));
const fragment = (...inTraf) => new Uint8Array([...box('moof', box('mfhd', u32(0), u32(1)), box('traf', box('tfhd', u32(0x20000), u32(1)), ...inTraf)), ...box('mdat', [1, 2, 3])]);

test('the decode time of a fragment is read', () => {
  assert.equal(startTicks(fragment(tfdt(90_000), trun())), 90_000);
  assert.equal(startTicks(fragment(tfdt(2 ** 40 + 5), trun())), 2 ** 40 + 5);
  assert.equal(startTicks(fragment(box('tfdt', u32(0), u32(77)), trun())), 77, 'the 32-bit form');
});

test('a composition offset moves the time of presentation', () => {
  assert.equal(startTicks(fragment(tfdt(1_000), trun(7_200))), 8_200);
  assert.equal(startTicks(fragment(tfdt(9_000), trun(-3_600 >>> 0))), 5_400);
});

test('a fragment in the middle of a larger buffer is read', () => {
  const bytes = fragment(tfdt(42), trun());
  const larger = new Uint8Array(bytes.length + 12);
  larger.set(bytes, 12);
  assert.equal(startTicks(larger.subarray(12)), 42);
});

test('what is no fragment has no time and does no harm', () => {
  const whole = fragment(tfdt(1), trun(1));
  for (let length = 0; length < whole.length - 11; length += 1) assert.equal(startTicks(whole.slice(0, length)), undefined, `cut at ${length}`);
  assert.equal(startTicks(new Uint8Array(64)), undefined, 'boxes of size 0');
  assert.equal(startTicks(new Uint8Array([...u32(1), 109, 111, 111, 102, ...u32(0)])), undefined);
  assert.equal(startTicks(new Uint8Array(box('moof', box('traf', box('tfdt', u32(0x0100_0000)))))), undefined);
  for (let round = 0; round < 5_000; round += 1) {
    const hurt = whole.slice();
    for (let i = 0; i < 4; i += 1) hurt[Math.floor(Math.random() * hurt.length)] = Math.random() * 256;
    startTicks(hurt);
  }
});
