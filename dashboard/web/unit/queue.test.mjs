import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hold } from '../src/queue/hold.ts';
import { byUrgency, grouped, inFlood, topCauses } from '../src/queue/order.ts';

const incident = (id, level, minute, more = {}) => ({
  id,
  level,
  reported_at: `2026-11-24T08:${String(minute).padStart(2, '0')}:00Z`,
  grid: 'g-1',
  hazard: 'flood',
  acknowledged_by: null,
  ...more,
});

test('the gravest come first, then what nobody has acknowledged, then what waits longest', () => {
  const queue = [
    incident('old-blue', 'blue', 1),
    incident('new-red', 'red', 9),
    incident('seen-red', 'red', 2, { acknowledged_by: 'wang' }),
    incident('old-red', 'red', 3),
  ];
  assert.deepEqual(
    queue.sort(byUrgency).map(({ id }) => id),
    ['old-red', 'new-red', 'seen-red', 'old-blue'],
  );
});

test('a flood is grouped by place and hazard, the most urgent group first', () => {
  const groups = grouped([
    incident('a', 'blue', 1),
    incident('b', 'blue', 2, { grid: 'g-2' }),
    incident('c', 'orange', 3, { grid: 'g-2' }),
    incident('d', 'blue', 4, { hazard: 'fire' }),
  ]);
  assert.deepEqual(
    groups.map(({ key, incidents }) => [key, incidents.map(({ id }) => id)]),
    [
      ['g-2 flood', ['c', 'b']],
      ['g-1 flood', ['a']],
      ['g-1 fire', ['d']],
    ],
  );
});

test('a list that nobody touches follows the true order', () => {
  assert.deepEqual(hold(['a', 'b'], ['c', 'b', 'a'], false), { shown: ['c', 'b', 'a'], waiting: [] });
});

test('under pointer or focus no row moves: what is new waits, what ended stays', () => {
  assert.deepEqual(hold(['a', 'b'], ['c', 'b'], true), { shown: ['a', 'b'], waiting: ['c'] });
});

test('an empty list has nothing to hold', () => {
  assert.deepEqual(hold([], ['a'], true), { shown: ['a'], waiting: [] });
});

test('in a flood red and orange are never inside a group', () => {
  const { open, groups } = inFlood([incident('a', 'blue', 1), incident('b', 'red', 2), incident('c', 'yellow', 3), incident('d', 'orange', 4)]);
  assert.deepEqual(open.map(({ id }) => id), ['b', 'd']);
  assert.deepEqual(groups.map(({ incidents }) => incidents.map(({ id }) => id)), [['c', 'a']]);
});

test('a group says what it is mostly about', () => {
  const of = (title) => ({ title });
  const causes = topCauses([of('door'), of('smoke'), of('smoke'), of('heat')], ({ title }) => title);
  assert.deepEqual(causes, [{ text: 'smoke', count: 2 }, { text: 'door', count: 1 }]);
});
