import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ticks } from '../src/plot/ticks.ts';
import { acknowledgedAt, alarmSpans, stepsDone } from '../src/screens/incident/history.ts';
import { find } from '../src/search/find.ts';

test('a time axis has round marks, and no more than fit', () => {
  const from = new Date(2026, 10, 24, 8, 3, 20).getTime();
  const marks = ticks(from, from + 3_600_000, 8);
  assert.deepEqual(
    marks.map(({ text }) => text),
    ['08:10', '08:20', '08:30', '08:40', '08:50', '09:00'],
  );
  assert.ok(ticks(from, from + 30_000, 8).every(({ text }) => /^\d\d:\d\d:\d\d$/.test(text)));
  for (const span of [20, 600, 7_200, 86_400, 864_000]) assert.ok(ticks(from, from + span * 1000, 9).length <= 10, String(span));
});

const transition = (seq, at, change, actor = { type: 'hub' }) => ({ seq, at: `2026-11-24T08:0${at}:00Z`, incident: 'I-1', actor, change });
const record = [
  transition(1, 0, { type: 'reported', origin: { type: 'alarm', id: 'a-1' }, source: 'gauge-1', level: 'blue' }),
  transition(2, 1, { type: 'alarm_joined', alarm: 'a-2', source: 'smoke-1', level: 'red' }),
  transition(3, 2, { type: 'acknowledged' }, { type: 'user', id: 'wang' }),
  transition(4, 3, { type: 'advanced', from: 'report', to: 'accept' }, { type: 'user', id: 'wang' }),
  transition(5, 4, { type: 'alarm_cleared', alarm: 'a-1' }),
  transition(6, 5, { type: 'dispatched', from: 'file', responder: 'zhao' }, { type: 'user', id: 'wang' }),
];

test('alarms have spans; one that is active has no end', () => {
  const spans = alarmSpans(record);
  assert.deepEqual(
    spans.map(({ alarm, source, level, to }) => [alarm, source, level, to]),
    [
      ['a-1', 'gauge-1', 'blue', Date.parse('2026-11-24T08:04:00Z')],
      ['a-2', 'smoke-1', 'red', undefined],
    ],
  );
});

test('an alarm that is alone takes the level of its incident along', () => {
  const risen = transition(2, 1, { type: 'level_changed', from: 'blue', to: 'orange' });
  assert.deepEqual(alarmSpans([record[0], risen])[0].levels, [{ at: Date.parse('2026-11-24T08:01:00Z'), level: 'orange' }]);
  const both = alarmSpans([record[0], record[1], transition(3, 2, { type: 'level_changed', from: 'blue', to: 'red' })]);
  assert.ok(both.every(({ levels }) => levels.length === 0), 'of two, nobody knows which');
});

test('steps know who did them and when; what was returned is undone', () => {
  const done = stepsDone(record);
  assert.deepEqual(done.accept, { at: Date.parse('2026-11-24T08:03:00Z'), by: 'wang' });
  assert.equal(done.report.by, undefined);
  assert.ok(done.dispatch);
  const returned = stepsDone([...record, transition(7, 6, { type: 'returned', from: 'dispatch' }, { type: 'user', id: 'zhao' })]);
  assert.equal(returned.dispatch, undefined);
  assert.ok(returned.accept);
  assert.equal(acknowledgedAt(record), Date.parse('2026-11-24T08:02:00Z'));
});

test('the search wants every word, and puts what begins with the first one before the rest', () => {
  const entries = ['桥北路口 cam-1', '东门大桥 cam-2', '大桥水位 gauge-1'].map((text) => ({ key: text, href: '/', text }));
  assert.deepEqual(
    find(entries, '大桥', 5).map(({ text }) => text),
    ['大桥水位 gauge-1', '东门大桥 cam-2'],
  );
  assert.deepEqual(
    find(entries, '大桥 cam', 5).map(({ text }) => text),
    ['东门大桥 cam-2'],
  );
  assert.deepEqual(find(entries, ' ', 5), []);
});
