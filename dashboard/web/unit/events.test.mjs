import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { EventSocket } from '../src/events/socket.ts';

/** A WebSocket in the test's hand. */
class FakeSocket {
  static OPEN = 1;
  static all = [];
  readyState = 0;
  sent = [];
  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  open() {
    this.readyState = 1;
    this.onopen?.();
  }
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  drop() {
    this.readyState = 3;
    this.onclose?.();
  }
}

let states;
let refused;
function started() {
  const socket = new EventSocket('ws://hub/api/v1/events', { message: () => {}, state: (state) => states.push(state), refused: () => (refused += 1) });
  socket.subscribe(['incidents']);
  socket.start();
  return socket;
}

beforeEach(() => {
  states = [];
  refused = 0;
  FakeSocket.all = [];
  globalThis.WebSocket = FakeSocket;
  globalThis.addEventListener = globalThis.removeEventListener = () => {};
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
});
afterEach(() => mock.timers.reset());

test('it subscribes, and is live with the snapshot', () => {
  started();
  const [line] = FakeSocket.all;
  line.open();
  assert.deepEqual(line.sent, [{ subscribe: ['incidents'] }]);
  line.say({ type: 'snapshot', epoch: 'e1', seq: 7, at: '', topics: {} });
  assert.deepEqual(states, ['connecting', 'live']);
});

test('after a cut it resumes where it was', () => {
  started();
  FakeSocket.all[0].open();
  FakeSocket.all[0].say({ type: 'snapshot', epoch: 'e1', seq: 7, at: '', topics: {} });
  FakeSocket.all[0].say({ type: 'delta', seq: 9, at: '', ops: [] });
  FakeSocket.all[0].drop();
  assert.equal(states.at(-1), 'down');
  mock.timers.tick(1000);
  FakeSocket.all[1].open();
  assert.deepEqual(FakeSocket.all[1].sent, [{ subscribe: ['incidents'], resume: { epoch: 'e1', seq: 9 } }]);
  assert.equal(refused, 0);
});

test('a line that says nothing is given up', () => {
  started();
  FakeSocket.all[0].open();
  FakeSocket.all[0].say({ type: 'snapshot', epoch: 'e1', seq: 1, at: '', topics: {} });
  mock.timers.tick(6000);
  FakeSocket.all[0].say({ type: 'tick', seq: 1, at: '' });
  mock.timers.tick(6000);
  assert.equal(states.at(-1), 'live');
  mock.timers.tick(1000);
  assert.equal(states.at(-1), 'down');
});

test('it tries ever more seldom, at most every 22 s, and tells each refusal', () => {
  started();
  let before = 0;
  const waits = [];
  for (let nth = 0; nth < 9; nth += 1) {
    FakeSocket.all.at(-1).drop();
    const count = FakeSocket.all.length;
    before = Date.now();
    while (FakeSocket.all.length === count) mock.timers.tick(100);
    waits.push(Date.now() - before);
  }
  assert.equal(refused, 9);
  assert.ok(waits[0] <= 800, `${waits}`);
  assert.ok(Math.max(...waits) <= 22_600 && waits.at(-1) >= 7_400, `${waits}`);
});

test('stopped, it stays stopped and forgets where it was', () => {
  const socket = started();
  FakeSocket.all[0].open();
  FakeSocket.all[0].say({ type: 'snapshot', epoch: 'e1', seq: 1, at: '', topics: {} });
  socket.stop();
  mock.timers.tick(60_000);
  assert.equal(FakeSocket.all.length, 1);
  socket.start();
  FakeSocket.all[1].open();
  assert.deepEqual(FakeSocket.all[1].sent, [{ subscribe: ['incidents'] }]);
});
