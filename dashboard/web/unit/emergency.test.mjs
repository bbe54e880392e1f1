import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costTexts } from '../src/emergency/cost.ts';
import { en } from '../src/i18n/en/index.ts';
import { zh } from '../src/i18n/zh/index.ts';

const cost = (more) => ({ cameras: 3, streams: 3, opened: 1, refused: 0, shed_usual: 0, shed_key_sites: 0, shed_watched: 0, probes_paused: true, ...more });
const loud = (texts) => texts.filter((one) => one.loud).map(({ text }) => text);

test('an emergency says what it costs, and loudly where people lose pictures', () => {
  const free = costTexts(cost({}), zh.emergency);
  assert.deepEqual(free.map(({ text }) => text), ['区域内 3 台摄像头，拉流 3 路', '其余画面未受影响', '其余按需摄像头暂停探测']);
  assert.deepEqual(loud(free), []);
  const dear = costTexts(cost({ shed_usual: 4, shed_key_sites: 2, shed_watched: 1, refused: 5, probes_paused: false }), en.emergency);
  assert.deepEqual(dear.map(({ text }) => text), ['3 cameras in the area, 3 streams pulled', '5 streams of the area found no place', '7 streams elsewhere made room (1 watched, 2 of key sites)']);
  assert.equal(loud(dear).length, 2);
  const cheap = costTexts(cost({ shed_usual: 1 }), en.emergency);
  assert.deepEqual([cheap[1].text, loud(cheap)], ['1 stream elsewhere made room', []]);
});
