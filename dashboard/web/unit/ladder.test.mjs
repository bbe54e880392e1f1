import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Ladder } from '../src/live/ladder.ts';
import { freshness } from '../src/live/freshness.ts';
import { chosenProfile } from '../src/live/profile.ts';
import { Backoff } from '../src/live/backoff.ts';
import { WallTimes } from '../src/live/walltimes.ts';

test('three breaks in a minute give stills with the reason, and video is tried after 30 s', () => {
  const ladder = new Ladder();
  assert.equal(ladder.broke('stuck', 0), 'rebuild');
  assert.equal(ladder.broke('stuck', 20_000), 'rebuild');
  assert.equal(ladder.broke('append', 59_000), 'stills');
  assert.deepEqual(ladder.stills, { code: 'broken', cause: 'append' });
  assert.equal(ladder.due(88_999), false);
  assert.equal(ladder.due(89_000), true);
});

test('breaks that lie apart are rebuilds for ever', () => {
  const ladder = new Ladder();
  for (let at = 0; at < 600_000; at += 31_000) assert.equal(ladder.broke('stuck', at), 'rebuild');
});

test('video on trial breaks once and is given up again; proven video has three tries', () => {
  const ladder = new Ladder();
  for (const at of [0, 1, 2]) ladder.broke('stuck', at);
  ladder.tryVideo(30_002);
  assert.equal(ladder.mode, 'video');
  assert.equal(ladder.broke('stuck', 33_002), 'stills');
  ladder.tryVideo(63_002);
  assert.equal(ladder.broke('stuck', 75_000), 'rebuild');
});

test('a codec that does not play is not tried again by itself', () => {
  const ladder = new Ladder();
  ladder.codecUnsupported('hvc1.1.6.L93.B0');
  assert.equal(ladder.mode, 'jpeg');
  assert.equal(ladder.due(1e15), false);
});

test('a picture is live up to 2 s, late up to 10 s, then old', () => {
  assert.equal(freshness(undefined, 'video'), 'none');
  assert.equal(freshness(-50, 'video'), 'live');
  assert.equal(freshness(2_000, 'video'), 'live');
  assert.equal(freshness(2_001, 'video'), 'late');
  assert.equal(freshness(10_001, 'video'), 'old');
  assert.equal(freshness(4_900, 'jpeg'), 'live', 'stills come a key frame at a time');
  assert.equal(freshness(5_001, 'jpeg'), 'late');
});

test('a wide tile asks for the main stream, and only where it plays', () => {
  assert.equal(chosenProfile('auto', 400, 'main', true), 'sub');
  assert.equal(chosenProfile('auto', 1_000, 'sub', true), 'main');
  assert.equal(chosenProfile('auto', 950, 'sub', true), 'sub');
  assert.equal(chosenProfile('auto', 950, 'main', true), 'main');
  assert.equal(chosenProfile('auto', 1_900, 'sub', false), 'sub');
  assert.equal(chosenProfile('main', 100, 'sub', true), 'main');
});

test('waits grow with jitter up to a bound, and begin short again', () => {
  const most = new Backoff(() => 1);
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => most.next()), [500, 1_500, 4_500, 13_500, 15_000, 15_000]);
  most.reset();
  assert.equal(most.next(), 500);
  const least = new Backoff(() => 0);
  assert.deepEqual([1, 2, 3].map(() => least.next()), [500, 500, 500]);
});

test('the frame on the screen is found by its media time', () => {
  const walls = new WallTimes();
  assert.equal(walls.at(1), undefined);
  for (let i = 0; i < 100; i += 1) walls.add(10 + i * 0.04, 1_000 + i * 40);
  assert.equal(walls.at(9), undefined);
  assert.equal(walls.at(10), 1_000);
  assert.equal(walls.at(10.0391), 1_040, 'a rounding below the frame');
  assert.equal(walls.at(10.05), 1_040);
  assert.equal(walls.at(99), 4_960);
  walls.add(10.06, 5);
  assert.equal(walls.at(10.07), 5, 'a frame that came out of order');
  for (let i = 0; i < 9_000; i += 1) walls.add(20 + i * 0.04, i);
  assert.equal(walls.at(20 + 8_999 * 0.04), 8_999);
  assert.equal(walls.at(10), undefined, 'old ones leave');
});
