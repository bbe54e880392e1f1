import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GapController, removable } from '../src/live/gap.ts';

/** A controller past its first jump, at 10 s of a buffer that ends `gap` later. */
function begun(settings) {
  const controller = new GapController(settings);
  controller.look({ nowMs: 0, currentTime: 0, ranges: [{ start: 0, end: 1 }], keys: [], frameS: 0.04 });
  return controller;
}
const at = (gap, over = {}) => ({ nowMs: 5_000, currentTime: 10, ranges: [{ start: 8, end: 10 + gap }], keys: [], frameS: 0.04, ...over });
const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-9, `found ${found}, expected ${expected}`);

test('the first data begins the target before the end', () => {
  const controller = new GapController();
  assert.deepEqual(controller.look({ nowMs: 0, currentTime: 0, ranges: [], keys: [], frameS: 0.04 }), { rate: 1 });
  near(controller.look({ nowMs: 0, currentTime: 0, ranges: [{ start: 100, end: 102 }], keys: [], frameS: 0.04 }).seekTo, 101.88);
});

test('data shorter than the target shows its first picture and is held until there is enough', () => {
  const controller = new GapController();
  const look = (nowMs, end) => controller.look({ nowMs, currentTime: nowMs ? 100 : 0, ranges: [{ start: 100, end }], keys: [], frameS: 0.04 });
  assert.deepEqual(look(0, 100.04), { rate: 0, seekTo: 100 });
  assert.deepEqual(look(40, 100.08), { rate: 0 });
  assert.deepEqual(look(80, 100.12), { rate: 1 });
});

test('after running out, one hold instead of a stumble at every frame', () => {
  const controller = begun();
  controller.ranOut();
  assert.equal(controller.look(at(0.04)).rate, 0);
  assert.equal(controller.look(at(0.08)).rate, 0);
  assert.equal(controller.look(at(0.13)).rate, 1);
  assert.equal(controller.look(at(0.05)).rate, 0.95);
});

test('a camera of one frame a second is kept a frame and a half behind, without jumps', () => {
  const controller = new GapController();
  controller.look({ nowMs: 0, currentTime: 0, ranges: [{ start: 0, end: 10 }], keys: [], frameS: 1 });
  near(controller.gap, 1.5);
  assert.deepEqual(controller.look({ nowMs: 1_000, currentTime: 9.5, ranges: [{ start: 0, end: 11 }], keys: [], frameS: 1 }), { rate: 1 });
});

test('the rate follows the gap', () => {
  for (const [gap, rate] of [[0.05, 0.95], [0.07, 1], [0.12, 1], [0.19, 1], [0.21, 1.1], [0.36, 1.1], [0.38, 1.25], [0.99, 1.25]]) {
    assert.equal(begun().look(at(gap)).rate, rate, `gap ${gap}`);
    assert.equal(begun().look(at(gap)).seekTo, undefined, `gap ${gap}`);
  }
});

test('more than a second behind is a jump, and rest after it', () => {
  const controller = begun();
  near(controller.look(at(1.5)).seekTo, 11.38);
  const soon = controller.look(at(1.5, { nowMs: 7_900 }));
  assert.equal(soon.seekTo, undefined, 'the decoder may still be at work on the last jump');
  assert.equal(soon.rate, 1.5);
  near(controller.look(at(1.5, { nowMs: 8_000 })).seekTo, 11.38);
});

test('the rest of a burst is jumped over at once', () => {
  const controller = new GapController();
  const look = (nowMs, end, currentTime) => controller.look({ nowMs, currentTime, ranges: [{ start: 0, end }], keys: [], frameS: 0.04 });
  near(look(0, 10, 0).seekTo, 9.88);
  near(look(100, 25, 9.88).seekTo, 24.88);
  assert.equal(look(2_000, 26.9, 24.88).rate, 1.5, 'now it is the decoder that is slow');
});

test('a browser that stumbles over rates jumps instead', () => {
  assert.deepEqual(begun({ canRate: false }).look(at(0.4)), { rate: 1 });
  near(begun({ canRate: false }).look(at(0.7)).seekTo, 10.58);
});

test('a hole is jumped over at once', () => {
  const controller = begun();
  controller.look(at(1.5));
  const order = controller.look({ nowMs: 5_001, currentTime: 10, ranges: [{ start: 8, end: 10.1 }, { start: 12, end: 12.05 }], keys: [], frameS: 0.04 });
  near(order.seekTo, 12);
});

test('stalls raise the target, quiet lowers it, both within bounds', () => {
  const controller = begun();
  controller.stall(1_000);
  near(controller.target, 0.18);
  for (let i = 0; i < 20; i += 1) controller.stall(1_000);
  near(controller.target, 0.6);
  controller.look(at(0.5, { nowMs: 10_999 }));
  near(controller.target, 0.6);
  controller.look(at(0.5, { nowMs: 11_000 }));
  near(controller.target, 0.59);
  controller.look(at(0.5, { nowMs: 3_600_000 }));
  near(controller.target, 0.12);
});

test('what is older than 4 s goes, up to a key frame', () => {
  assert.equal(begun().look(at(0.12, { keys: [8, 9] })).removeBefore, undefined);
  const long = { currentTime: 20, ranges: [{ start: 8, end: 20.12 }], keys: [8, 10, 12, 14, 16.5, 18] };
  assert.equal(begun().look(at(0, long)).removeBefore, 14);
});

test('a GOP that is still on the screen stays whole', () => {
  // Removing up to 16 s would take all frames up to the next key frame: the picture itself.
  assert.equal(removable({ start: 0, end: 20 }, [0], 16), undefined);
  assert.equal(removable({ start: 0, end: 40 }, [0, 30], 29), undefined);
  assert.equal(removable({ start: 0, end: 40 }, [0, 30], 31), 30);
  assert.equal(removable({ start: 0, end: 40 }, [], 31), undefined);
});

test('driven by frames with jitter, the gap stays near the target', () => {
  const controller = new GapController();
  let time = 0;
  let playing = false;
  let rate = 1;
  let stalls = 0;
  let held = 0;
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const arrivals = Array.from({ length: 1_500 }, (_, i) => ({ at: i * 40 + random() * 80, end: (i + 1) * 0.04 }));
  let end = 0;
  let late = 0;
  for (let now = 0; now < 60_000; now += 5) {
    if (rate === 0) held += 5;
    if (playing && rate > 0 && time + 0.005 * rate > end) {
      stalls += 1;
      playing = false;
      controller.ranOut();
    } else if (playing) time += 0.005 * rate;
    for (; arrivals[0]?.at <= now; arrivals.shift()) {
      if (!playing && end > 0) controller.stall(now);
      playing = true;
      end = Math.max(end, arrivals[0].end);
      const order = controller.look({ nowMs: now, currentTime: time, ranges: [{ start: 0, end }], keys: [], frameS: 0.04 });
      if (order.seekTo !== undefined) time = order.seekTo;
      rate = order.rate;
    }
    if (now > 20_000 && now / 1000 - time > 0.5) late += 1;
  }
  assert.ok(stalls <= 6, `${stalls} stalls`);
  assert.ok(held < 2_000, `held for ${held} ms`);
  assert.equal(late, 0, 'never more than half a second behind');
});
