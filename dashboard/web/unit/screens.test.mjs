import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from '../src/i18n/en/index.ts';
import { stillsWords, trouble } from '../src/live/say.ts';
import { auditQuery, endsBeforeItBegins } from '../src/screens/audit/filters.ts';
import { filtered, gridsWithin, sorted, streamOf } from '../src/screens/sources/rows.ts';
import { add, empty, move, parse, put, remove, stepLayout, textOf, withLayout } from '../src/screens/wall/arrangement.ts';

const on = (arrangement) => arrangement.places.map((camera) => camera ?? '.').join('').replace(/\.+$/, '');

test('a camera hangs once, in the first free place', () => {
  let wall = add(add(empty(4), 'a'), 'b');
  assert.equal(on(wall), 'ab');
  assert.equal(on(add(wall, 'a')), 'ab');
  wall = put(wall, 3, 'a');
  assert.equal(on(wall), '.b.a');
  assert.equal(on(add(wall, 'c')), 'cb.a');
});

test('a full layout grows, and the largest gives its last place', () => {
  let wall = empty(1);
  for (const camera of 'abcdefghijklmnop') wall = add(wall, camera);
  assert.equal(wall.layout, 16);
  assert.equal(on(add(wall, 'q')), 'abcdefghijklmnoq');
});

test('moving exchanges two places; a smaller layout keeps what it does not show', () => {
  let wall = ['a', 'b', 'c', 'd'].reduce(add, empty(4));
  assert.equal(on(move(wall, 0, 3)), 'dbca');
  assert.equal(on(remove(wall, 1)), 'a.cd');
  wall = withLayout(wall, 1);
  assert.equal(on(wall), 'abcd');
  assert.equal(stepLayout(wall, -1).layout, 1);
  assert.equal(stepLayout(wall, 1).layout, 4);
});

test('an arrangement survives the address, and nonsense there does no harm', () => {
  const wall = put(add(empty(9), '摄像头/1,2:3'), 4, 'b');
  assert.deepEqual(parse(textOf(wall)), wall);
  for (const text of ['', '7:a', 'x', '4', '4:%E0%A4%A']) assert.equal(on(parse(text) ?? empty()), '', text);
  assert.equal(on(parse(`16:${Array.from({ length: 99 }, (_, i) => `c${i}`).join(',')}`)).split('c').length, 17);
});

const SOURCES = [
  { id: 'c1', name: '桥北路', kind: 'camera', class: 'street', owner: 'police', grid: 'g1', mode: 'demand' },
  { id: 'c2', name: '码头', kind: 'camera', class: 'river', owner: 'resident', grid: 'g2', mode: 'always' },
  { id: 's1', name: '水位', kind: 'sensor', class: 'river_gauge', owner: 'governance', grid: 'g1', mode: 'always' },
];
const NONE = { q: '', kind: '', class: '', grid: '', owner: '', state: '' };
const states = {
  stateOf: (id) => ({ c1: 'live', c2: 'offline', s1: 'silent' })[id],
  statusesOf: (id) => ({ c2: [{ state: 'offline', since: '2026-01-02T00:00:00Z' }], s1: [{ state: 'silent', since: '2026-01-01T00:00:00Z' }], c1: [{ state: 'live', since: '2026-01-03T00:00:00Z' }] })[id] ?? [],
};
const ids = (sources) => sources.map((source) => source.id).join();

test('filters narrow the list, all together', () => {
  const shown = (filters, within) => ids(filtered(SOURCES, { ...NONE, ...filters }, within, states));
  assert.equal(shown({}), 'c1,c2,s1');
  assert.equal(shown({ q: ' 码' }), 'c2');
  assert.equal(shown({ q: 'C' }), 'c1,c2');
  assert.equal(shown({ state: 'attention' }), 'c2,s1');
  assert.equal(shown({ state: 'attention', kind: 'sensor' }), 's1');
  assert.equal(shown({ state: 'live', owner: 'resident' }), '');
  assert.equal(shown({}, new Set(['g1'])), 'c1,s1');
});

test('what most needs a person comes first; what has been so for longest, too', () => {
  const order = (key, descending = false) => ids(sorted([...SOURCES], { key, descending }, states, (id) => id));
  assert.equal(order('state'), 'c2,s1,c1');
  assert.equal(order('state', true), 'c1,s1,c2');
  assert.equal(order('since'), 's1,c2,c1');
  assert.equal(order('id'), 'c1,c2,s1');
  assert.equal(order('grid'), 'c1,s1,c2');
});

test('a grid holds all grids inside it', () => {
  const grids = new Map([['t', undefined], ['v', 't'], ['g', 'v'], ['x', undefined]].map(([id, parent]) => [id, { id, parent }]));
  assert.deepEqual([...gridsWithin(grids, 't')].sort(), ['g', 't', 'v']);
  assert.deepEqual([...gridsWithin(grids, 'g')], ['g']);
});

test('the sub stream tells the facts', () => {
  const main = { profile: 'main', state: 'offline', reason: 'refused', stream: { fps: 25 } };
  const sub = { profile: 'sub', state: 'live', stream: { fps: 15 } };
  assert.equal(streamOf([main, sub]).fps, 15);
  assert.equal(streamOf([main]).fps, 25);
});

test('the audit is asked for what the address says, in UTC', () => {
  const query = (given) => auditQuery((name) => given[name] ?? '');
  assert.deepEqual(query({}), {});
  assert.deepEqual(query({ actor: ' bo ', action: 'live.view', from: '2026-01-01T10:00Z', to: 'never' }), {
    actor: 'bo', action: 'live.view', from: '2026-01-01T10:00:00.000Z',
  });
  const turned = { from: '2026-01-02T00:00Z', to: '2026-01-01T00:00Z' };
  assert.equal(query(turned).to, undefined, 'the hub would refuse it');
  assert.equal(endsBeforeItBegins((name) => turned[name] ?? ''), true);
  assert.equal(endsBeforeItBegins(() => ''), false);
});

const VIEW = { link: { state: 'open', since: 0 }, mode: 'video', shows: 'video' };
const told = (view, fresh = 'live', now = 0) => trouble({ ...VIEW, ...view }, fresh, en, now);

test('a tile without trouble tells none', () => {
  assert.equal(told({}), undefined);
  assert.equal(told({ camera: { state: 'live', reason: null } }), undefined);
});

test('a tile tells what stands in the way, the nearest cause first', () => {
  assert.equal(told({ shows: 'nothing' }, 'none').headline, en.live.waitingFirst);
  assert.equal(told({}, 'late').headline, en.live.noNew);
  const offline = told({ camera: { state: 'offline', reason: 'connect_refused' } }, 'old');
  assert.deepEqual(offline, { headline: 'Offline', detail: en.sources.reason.connect_refused });
  assert.equal(told({ camera: { state: 'stalled', reason: 'a_new_reason' } }, 'old').detail, 'a_new_reason');
  const cut = told({ link: { state: 'waiting', since: 0, retryAt: 4_100 }, camera: { state: 'offline', reason: null } }, 'old', 1_000);
  assert.deepEqual(cut, { headline: en.live.linkDown, detail: 'retry in 4 s' });
  assert.equal(told({ refusal: { code: 'break_glass_required', message: '' }, shows: 'nothing' }, 'none').headline, en.live.glass.closed);
  assert.equal(told({ refusal: { code: 'new_code', message: 'as the hub says' } }).headline, 'as the hub says');
});

test('stills always say why', () => {
  assert.equal(stillsWords({ stills: undefined }, en), undefined);
  assert.equal(stillsWords({ stills: { code: 'codec', codec: 'hvc1.1.6.L93.B0' } }, en), 'this browser cannot play H.265 (hvc1.1.6.L93.B0)');
  assert.match(stillsWords({ stills: { code: 'broken', cause: 'stuck' } }, en), /stands still/);
  assert.equal(stillsWords({ stills: { code: 'no_mse' } }, en), en.live.stillsWhy.no_mse);
});
