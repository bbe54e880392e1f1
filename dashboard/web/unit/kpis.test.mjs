import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { en } from '../src/i18n/en/index.ts';
import { asked, axisTop, bars, byOf, figureText, onBar, rangeOf, secondsText } from '../src/screens/kpis/figures.ts';

const kpi = (more) => ({ id: 'x', unit: 'per_hour', value: 3, good: 6, limit: 12, more_is_better: false, verdict: 'good', ...more });

test('a report ends with the hour that is on, and is told by what suits its length', () => {
  const now = Date.parse('2026-11-24T08:15:00Z');
  assert.deepEqual(asked('24h', 'hour', '', now), { from: '2026-11-23T09:00:00.000Z', to: '2026-11-24T09:00:00.000Z', by: 'hour' });
  assert.equal(asked('45d', 'day', 'fire-desk', now).desk, 'fire-desk');
  assert.equal(asked('45d', 'day', '', now).from, '2026-10-10T09:00:00.000Z');
  assert.deepEqual(['', '7d', '45d', 'week'].map((text) => byOf('', rangeOf(text))), ['hour', 'shift', 'day', 'hour']);
  assert.equal(byOf('hour', '45d'), 'hour');
});

test('a figure is written with what it tells, and nothing measured is a dash', () => {
  assert.deepEqual([figureText(0.0123, 'share'), figureText(1, 'share'), figureText(6.04, 'per_hour'), figureText(123.4, 'count'), figureText(0.256, 'count')], ['1.2 %', '100 %', '6', '123', '0.26']);
  assert.deepEqual([figureText(null, 'share'), figureText(undefined, 'count')], ['—', '—']);
  assert.deepEqual([42, 200, 7510, null].map(secondsText), ['42 s', '03:20', '2:05:10', '—']);
});

test('lines are seen on the bar, whatever their size', () => {
  assert.deepEqual(onBar(kpi({})), { value: 15, good: 30, limit: 60 });
  assert.equal(onBar(kpi({ value: 500 })).value, 100);
  const share = onBar(kpi({ unit: 'share', value: 0.2, good: 0.01, limit: null }));
  assert.ok(Math.abs(share.good - 60) < 1e-9 && share.value === 100 && share.limit === undefined, JSON.stringify(share));
  assert.equal(onBar(kpi({ unit: 'share', good: 0.8, limit: null, more_is_better: true, value: 0.9 })).good, 80);
  assert.equal(onBar(kpi({ unit: 'share', good: null, limit: null, more_is_better: true, value: 1 })).good, undefined);
});

test('the axis holds the line and the highest bar', () => {
  assert.equal(axisTop([], 12), 15);
  assert.equal(axisTop([61], 12), 80);
  const period = { from: '2026-11-24T08:00:00Z', to: '2026-11-24T09:00:00Z', alarms: 4, per_hour: 8, raised: { red: 1, orange: 0, yellow: 1, blue: 2 } };
  assert.deepEqual(bars([period])[0].parts, [0.25, 0, 0.25, 0.5]);
  assert.deepEqual(bars([{ ...period, alarms: 0, per_hour: null, raised: { red: 0, orange: 0, yellow: 0, blue: 0 } }])[0].rate, 0);
});

test('every figure of the hub has a name, and no name is of none', () => {
  const lines = readFileSync(new URL('../../../alerting/src/kpi/lines.rs', import.meta.url), 'utf8');
  const ids = [...lines.matchAll(/at_most\("(\w+)"|id: "(\w+)"/g)].map(([, one, other]) => one ?? other);
  assert.ok(ids.length > 10);
  assert.deepEqual(Object.keys(en.kpis.names).sort(), ids.sort());
});
