import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HEADER_BYTES, parseMessage, parsePacket, subscribeTexts, unsubscribeText } from '../src/live/wire.ts';

function packet({ tile = 3, kind = 1, flags = 0, wallMs = 1_764_000_000_123, bytes = [9, 8, 7] } = {}) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + bytes.length));
  view.setUint16(0, tile);
  view.setUint8(2, kind);
  view.setUint8(3, flags);
  view.setBigUint64(4, BigInt(wallMs));
  bytes.forEach((byte, i) => view.setUint8(HEADER_BYTES + i, byte));
  return view.buffer;
}

test('a packet is read back as it was written', () => {
  const read = parsePacket(packet());
  assert.equal(read.tile, 3);
  assert.equal(read.kind, 'key');
  assert.equal(read.wallMs, 1_764_000_000_123);
  assert.deepEqual([...read.bytes], [9, 8, 7]);
});

test('what is no packet is refused', () => {
  assert.equal(parsePacket(new ArrayBuffer(0)), undefined);
  assert.equal(parsePacket(new ArrayBuffer(11)), undefined);
  assert.equal(parsePacket(packet({ bytes: [] })), undefined, 'a header alone');
  assert.equal(parsePacket(packet({ kind: 4 })), undefined, 'an unknown kind');
  assert.equal(parsePacket(packet({ kind: 255 })), undefined);
  const absurd = packet();
  new DataView(absurd).setBigUint64(4, 0xffff_ffff_ffff_ffffn);
  assert.equal(parsePacket(absurd), undefined, 'a time no clock shows');
  assert.equal(parsePacket(new ArrayBuffer(33 * 1024 * 1024)), undefined, 'too large');
});

test('random bytes never throw', () => {
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = new Uint8Array(Math.floor(Math.random() * 40)).map(() => Math.random() * 256);
    parsePacket(bytes.buffer);
    parseMessage(String.fromCharCode(...bytes));
  }
});

const HELLO = { type: 'hello', t: 3, codec: 'avc1.4d401e', timescale: 90_000, width: 640, height: 360, epoch: 1, profile: 'sub', audit: true };

test('messages are read', () => {
  assert.deepEqual(parseMessage(JSON.stringify(HELLO)), {
    type: 'hello', tile: 3, codec: 'avc1.4d401e', timescale: 90_000, width: 640, height: 360, epoch: 1, profile: 'sub', audit: true,
  });
  assert.deepEqual(parseMessage('{"type":"drop","t":0,"frames":12}'), { type: 'drop', tile: 0, frames: 12 });
  assert.deepEqual(parseMessage('{"type":"state","t":1,"state":"offline","reason":"connect_refused","since":"1970-01-01T00:00:01Z"}'), {
    type: 'state', tile: 1, state: 'offline', reason: 'connect_refused', sinceMs: 1000,
  });
  assert.deepEqual(parseMessage('{"type":"error","code":"bad_request","message":"no"}'), {
    type: 'error', tile: undefined, code: 'bad_request', message: 'no',
  });
});

test('what is no message is refused, and no part of it reaches a MIME type or the screen', () => {
  for (const text of ['', 'null', '[]', '7', '{', '{"type":"later","t":1}', '{"type":"drop","t":-1,"frames":1}', '{"type":"drop","t":70000,"frames":1}']) {
    assert.equal(parseMessage(text), undefined, text);
  }
  const refused = [{ codec: 'avc1"; x="' }, { codec: '' }, { codec: 7 }, { codec: 'a'.repeat(500) }, { timescale: 0 }, { timescale: 1.5 }, { width: -1 }, { epoch: null }];
  for (const change of refused) assert.equal(parseMessage(JSON.stringify({ ...HELLO, ...change })), undefined, JSON.stringify(change));
  assert.equal(parseMessage('{"type":"state","t":1,"state":"<b>"}'), undefined);
  assert.equal(parseMessage('{"type":"state","t":1,"state":"live","reason":"<b>","since":"never"}').reason, null);
  assert.equal(parseMessage(JSON.stringify({ type: 'error', t: 1, code: 'x', message: 'y'.repeat(9_999) })).message.length, 500);
});

test('tiles of one purpose are asked for in one message', () => {
  const tile = (n, purpose) => ({ tile: n, source: `cam-${n}`, profile: 'auto', mode: 'video', purpose });
  const texts = subscribeTexts([tile(1), tile(2, 'a fire'), tile(3)]).map((text) => JSON.parse(text));
  assert.deepEqual(texts, [
    { sub: [{ t: 1, source: 'cam-1', profile: 'auto', mode: 'video' }, { t: 3, source: 'cam-3', profile: 'auto', mode: 'video' }] },
    { sub: [{ t: 2, source: 'cam-2', profile: 'auto', mode: 'video' }], purpose: 'a fire' },
  ]);
  assert.equal(unsubscribeText([4]), '{"unsub":[4]}');
});
