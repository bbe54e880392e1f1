import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { en } from '../src/i18n/en/index.ts';
import { zh } from '../src/i18n/zh/index.ts';
import { backendsNow, bitrateText, chosenBackend, clockOf, gopIsLong, gopSeconds } from '../src/screens/sources/facts.ts';
import { causeText, reasonTexts } from '../src/screens/sources/outage.ts';
import { nested, rateText, worstFirst } from '../src/screens/sources/rates.ts';
import { needsAttention } from '../src/screens/sources/rows.ts';
import { lookOf, pieces, shares } from '../src/screens/sources/strip.ts';
import { leading, standingOf } from '../src/town/standing.ts';

const source = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8').split('#[cfg(test)]')[0];

test('every reason that the hub gives has words and advice in both languages', () => {
  const codes = [
    ...source('ingest/src/rtsp/failure.rs').matchAll(/Reason::\w+ => "(\w+)"/g),
    ...source('ingest/src/rtsp/health.rs').matchAll(/Flaw::\w+ => "(\w+)"/g),
    ...source('ingest/src/mqtt/watch.rs').matchAll(/pub const \w+: &str = "(\w+)"/g),
    ...source('ingest/src/mqtt/routes.rs').matchAll(/\("(bad_\w+|broker_\w+)"/g),
    ...source('storage/src/connections/strip.rs').matchAll(/pub const \w+: &str = "(\w+)"/g),
    ...source('storage/src/connections/pending.rs').matchAll(/const REMOVED: &str = "(\w+)"/g),
  ].map(([, code]) => code);
  assert.ok(codes.length > 38, codes.join());
  for (const [lang, words] of Object.entries({ zh, en })) {
    for (const code of codes) {
      assert.ok(words.sources.reason[code], `${lang}: ${code} has no words`);
      assert.ok(words.sources.advice[code], `${lang}: nothing is said of what to do about ${code}`);
    }
  }
});

test('the stream that speaks for a camera is the one that the hub has chosen', () => {
  const of = (main, sub) => leading([{ profile: 'main', ...main }, { profile: 'sub', ...sub }]);
  assert.equal(of({ state: 'idle' }, { state: 'offline' }).state, 'offline');
  assert.equal(of({ state: 'live' }, { state: 'degraded' }).state, 'degraded');
  assert.equal(of({ state: 'live' }, { state: 'idle' }).state, 'live');
  assert.equal(of({ state: 'unknown' }, { state: 'idle' }).state, 'idle');
  assert.equal(of({ state: 'idle', last_data_at: 'x' }, { state: 'idle' }).profile, 'main');
  assert.equal(leading([]), undefined);
});

test('the switch shows what the tags ask for, and what reads the camera now', () => {
  assert.deepEqual([{ backend: 'ffmpeg' }, { backend: 'retina' }, { backend: 'vlc' }, {}, undefined].map(chosenBackend), ['ffmpeg', 'retina', 'auto', 'auto', 'auto']);
  const status = (state, backend) => ({ state, stream: backend && { backend } });
  assert.deepEqual(backendsNow([status('live', 'retina'), status('degraded', 'retina')]), ['retina']);
  assert.deepEqual(backendsNow([status('live', 'ffmpeg'), status('live', 'retina')]), ['ffmpeg', 'retina']);
  assert.deepEqual(backendsNow([status('idle', 'retina'), status('offline', 'ffmpeg'), status('live')]), []);
});

test('what is not known is neither away nor intact', () => {
  const of = (state, more = {}) => standingOf({ state, ...more });
  assert.equal(standingOf(undefined), 'unknown');
  assert.equal(of('idle'), 'unknown');
  assert.equal(of('idle', { last_data_at: '2026-01-01T00:00:00Z' }), 'intact');
  assert.equal(of('unknown', { reason: 'waiting_for_data' }), 'unknown');
  assert.equal(of('unknown', { reason: 'broker_unreachable' }), 'away');
  assert.equal(of('connecting', { reason: 'connection_lost' }), 'unknown');
  assert.equal(of('degraded'), 'impaired');
  assert.equal(needsAttention([{ state: 'unknown', reason: 'broker_unreachable' }]), true);
  assert.equal(needsAttention([{ state: 'idle' }]), false);
});

const GRIDS = new Map(
  [['town', null, '云汀镇'], ['v', 'town', '北岸村'], ['g1', 'v', '一网格'], ['g2', 'v', '二网格'], ['far', 'hidden', '远']].map(([id, parent, name]) => [id, { id, parent, name }]),
);
const of = (grid, online_rate, away = 0) => ({ grid, online_rate, away });

test('grids stand below what holds them; what holds them outside the scope is no row', () => {
  const rows = nested([of('g2', 1), of('g1', 0.5), of('v', 0.75), of('town', 0.8), of('far', null)], GRIDS);
  const depths = Object.fromEntries(rows.map(({ rates, depth }) => [rates.grid, depth]));
  assert.deepEqual(depths, { town: 0, v: 1, g1: 2, g2: 2, far: 0 });
  const at = (grid) => rows.findIndex(({ rates }) => rates.grid === grid);
  assert.ok(at('town') + 1 === at('v') && at('v') < at('g1') && at('v') < at('g2') && Math.max(at('g1'), at('g2')) - at('v') === 2);
  assert.deepEqual(worstFirst(rows).map(({ rates }) => rates.grid), ['g1', 'v', 'town', 'g2', 'far'], 'what nothing is known of comes last');
});

test('a rate is all or none only when it is', () => {
  assert.deepEqual([1, 0, 0.99999, 0.00001, 0.5, null].map(rateText), ['100 %', '0 %', '99.9 %', '0.1 %', '50.0 %', undefined]);
});

const T0 = Date.parse('2026-01-01T00:00:00Z');
const seg = (fromH, toH, state, reason, merged = 0) => ({
  from: new Date(T0 + fromH * 3_600_000).toISOString(), to: new Date(T0 + toH * 3_600_000).toISOString(), state, reason, merged,
});

test('the strip is laid out by time and told in words by how long each state lasted', () => {
  const strip = [seg(0, 6, 'unknown', 'hub_down'), seg(6, 12, 'live'), seg(12, 13, 'offline', 'connect_refused'), seg(13, 14, 'offline', 'not_found'), seg(14, 24, 'live')];
  const laid = pieces(strip, T0, T0 + 24 * 3_600_000);
  assert.deepEqual(laid.map(({ left, width, look }) => `${left} ${width.toFixed(1)} ${look}`).slice(0, 3), ['0 25.0 unknown', '25 25.0 intact', '50 4.2 away']);
  assert.equal(laid.reduce((sum, { width }) => sum + width, 0).toFixed(3), '100.000');
  const told = shares(strip);
  assert.deepEqual(told.map(({ state, reason, ms }) => [state, reason, ms / 3_600_000]), [['live', undefined, 16], ['unknown', 'hub_down', 6], ['offline', undefined, 2]]);
  assert.equal(told[0].share, 16 / 24);
  for (const state of ['stalled', 'auth_failed', 'offline', 'silent']) assert.equal(lookOf(state), 'away');
  assert.deepEqual(shares([]), []);
});

test('a long key-frame interval is told in seconds of the measured rate', () => {
  assert.equal(gopSeconds({ fps: 25, gop_frames: 250 }), 10);
  assert.equal(gopIsLong({ fps: 25, gop_frames: 250 }), true);
  assert.equal(gopIsLong({ fps: 25, gop_frames: 125 }), false, '5 s is not more than 5 s');
  assert.equal(gopIsLong({ fps: 1, gop_frames: 6 }), true, 'few frames can last long');
  for (const none of [undefined, null, { fps: 0, gop_frames: 10 }, { fps: 25, gop_frames: 0 }]) assert.equal(gopSeconds(none), undefined);
  assert.deepEqual([264_400, 4_100_000].map(bitrateText), ['264 kbit/s', '4.1 Mbit/s']);
});

test('a group says its guess and its commonest reasons in words', () => {
  const say = (cause, words = en) => causeText(cause, words, (id) => GRIDS.get(id)?.name ?? id);
  assert.equal(say({ type: 'recorder', host: '10.1.2.3' }), 'the recorder at 10.1.2.3');
  assert.equal(say({ type: 'grid', grid: 'g1' }, zh), '网格 一网格 的供电或网络');
  assert.equal(say({ type: 'broker', broker: null }), 'the broker');
  assert.equal(say({ type: 'owner', owner: 'police' }), `network or platform of ${en.common.owner.police}`);
  const told = reasonTexts({ reasons: { connect_refused: 2, silent: 1, connect_timeout: 8, strange: 1 } }, en);
  assert.deepEqual(told.map(({ text, count }) => `${text} ${count}`), ['connecting timed out 8', 'the camera refuses connections 2', `${en.common.sourceState.silent} 1`, 'strange 1']);
});

test('a clock is right within half a second, wrong beyond two, and unknown is neither', () => {
  const of = (clock_offset_ms) => clockOf({ clock_offset_ms });
  assert.deepEqual(of(-320), { is: 'right', ms: 320, off: false });
  assert.deepEqual(of(0), { is: 'right', ms: 0, off: false });
  assert.deepEqual(of(1900), { is: 'ahead', ms: 1900, off: false });
  assert.deepEqual(of(-7_200_400), { is: 'behind', ms: 7_200_400, off: true });
  assert.equal(of(undefined), undefined);
  assert.equal(of(null), undefined);
  assert.equal(clockOf(undefined), undefined);
});
