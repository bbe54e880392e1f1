import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countText, durationText, numberText } from '../src/time/format.ts';

test('durations are short and never negative', () => {
  assert.equal(durationText(-5), '00:00');
  assert.equal(durationText(134_000), '02:14');
  assert.equal(durationText(3_734_000), '1:02:14');
  assert.equal(durationText(3 * 86_400_000 + 2 * 3_600_000), '3d 02h');
});

test('numbers show as many digits as tell something', () => {
  assert.equal(countText(13024), '13,024');
  assert.equal(numberText(3.456), '3.46');
  assert.equal(numberText(34.56), '34.6');
  assert.equal(numberText(345.6), '346');
});
