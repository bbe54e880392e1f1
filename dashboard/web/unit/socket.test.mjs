import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LiveSocket } from '../src/live/socket.ts';

/** A world with a clock of its own. */
class World {
  time = 0;
  timers = [];
  sockets = [];
  live = new LiveSocket({
    open: () => {
      const socket = { sent: [], closed: false, send: (text) => socket.sent.push(JSON.parse(text)), close: () => (socket.closed = true) };
      this.sockets.push(socket);
      return socket;
    },
    now: () => this.time,
    after: (ms, run) => {
      const timer = { at: this.time + ms, run };
      this.timers.push(timer);
      return () => (this.timers = this.timers.filter((one) => one !== timer));
    },
    random: () => 1,
  });

  get last() {
    return this.sockets.at(-1);
  }

  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }

  tile(source = 'cam-1', purpose = undefined) {
    const heard = { messages: [], packets: [], links: [] };
    heard.close = this.live.subscribe(
      { source, profile: 'auto', mode: 'video', purpose },
      { message: (m) => heard.messages.push(m), packet: (p) => heard.packets.push(p), link: (l) => heard.links.push(l.state) },
    );
    return heard;
  }

  /** A packet of the tile. */
  packet(tile) {
    const view = new DataView(new ArrayBuffer(13));
    view.setUint16(0, tile);
    view.setUint8(2, 1);
    this.last.onmessage({ data: view.buffer });
  }
}

test('one socket carries all tiles, asked for together', async () => {
  const world = new World();
  const [a, b] = [world.tile('cam-1'), world.tile('cam-2')];
  assert.equal(world.sockets.length, 1);
  world.last.onopen();
  const tiles = world.last.sent[0].sub.map((sub) => [sub.t, sub.source]);
  assert.deepEqual(tiles, [[1, 'cam-1'], [2, 'cam-2']]);
  const later = [world.tile('cam-3'), world.tile('cam-4')];
  await null;
  assert.deepEqual(world.last.sent[1].sub.map((sub) => sub.t), [3, 4]);
  world.packet(2);
  world.last.onmessage({ data: '{"type":"drop","t":1,"frames":3}' });
  assert.equal(b.packets.length, 1);
  assert.equal(a.packets.length, 0);
  assert.deepEqual(a.messages, [{ type: 'drop', tile: 1, frames: 3 }]);
  assert.equal(later[0].packets.length, 0);
});

test('a tile given back is told to the hub; the socket goes with the last one, after a while', () => {
  const world = new World();
  const [a, b] = [world.tile(), world.tile()];
  world.last.onopen();
  a.close();
  assert.deepEqual(world.last.sent.at(-1), { unsub: [1] });
  b.close();
  world.pass(2_000);
  const c = world.tile();
  world.pass(10_000);
  assert.equal(world.last.closed, false, 'a tile came in time');
  c.close();
  world.pass(3_001);
  assert.equal(world.last.closed, true);
  world.pass(600_000);
  assert.equal(world.sockets.length, 1, 'nobody asked for another');
  world.tile();
  assert.equal(world.sockets.length, 2);
});

test('a lost socket comes back with growing waits and asks for every tile again', () => {
  const world = new World();
  const a = world.tile('cam-1', 'a fire');
  world.last.onopen();
  world.last.onclose();
  assert.deepEqual(a.links, ['connecting', 'open', 'waiting']);
  assert.equal(world.live.link.retryAt, 500);
  world.pass(500);
  assert.equal(world.sockets.length, 2);
  world.last.onclose();
  world.pass(1_499);
  assert.equal(world.sockets.length, 2);
  world.pass(1);
  world.last.onopen();
  assert.deepEqual(world.last.sent, [{ sub: [{ t: 1, source: 'cam-1', profile: 'auto', mode: 'video' }], purpose: 'a fire' }]);
  world.pass(5_000);
  world.last.onclose();
  assert.equal(world.live.link.retryAt, world.time + 500, 'it had been stable');
});

test('a person need not wait', () => {
  const world = new World();
  world.tile();
  world.last.onclose();
  world.live.retryNow();
  assert.equal(world.sockets.length, 2);
  world.pass(60_000);
  assert.equal(world.sockets.length, 2);
});

test('a socket that delivered and fell silent is dead; one whose cameras deliver nothing is not', () => {
  const world = new World();
  world.tile();
  world.last.onopen();
  world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  world.packet(1);
  world.last.onmessage({ data: '{"type":"state","t":1,"state":"offline"}' });
  world.pass(60_000);
  assert.equal(world.sockets.length, 1, 'the camera is offline');
  world.packet(1);
  const dead = world.last;
  world.pass(13_000);
  assert.equal(dead.closed, true);
  assert.equal(world.sockets.length, 2);
  dead.onmessage({ data: '{"type":"drop","t":1,"frames":3}' });
  dead.onclose();
  assert.equal(world.sockets.length, 2, 'the dead one is no longer listened to');
});

test('what cannot be read is counted, and an error of the whole reaches every tile', () => {
  const world = new World();
  const a = world.tile();
  world.last.onopen();
  for (const data of ['nonsense', new ArrayBuffer(3), 7]) world.last.onmessage({ data });
  world.packet(99);
  assert.deepEqual(world.live.counts, { malformed: 3, orphaned: 1 });
  world.last.onmessage({ data: '{"type":"error","code":"bad_request","message":"?"}' });
  assert.equal(a.messages[0].code, 'bad_request');
});

test('a number that was in use a moment ago is not given again', () => {
  const world = new World();
  const first = world.tile();
  world.last.onopen();
  first.close();
  const second = world.tile();
  world.packet(1);
  assert.equal(second.packets.length, 0, 'a late packet of the old tile');
});
