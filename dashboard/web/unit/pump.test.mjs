import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Pump } from '../src/live/pump.ts';

class Buffer {
  updating = false;
  done = [];
  full = 0;
  appendBuffer(bytes) {
    if (this.full > 0) {
      this.full -= 1;
      throw Object.assign(new Error('full'), { name: 'QuotaExceededError' });
    }
    this.updating = true;
    this.done.push([...bytes].join());
  }
  remove(start, end) {
    this.updating = true;
    this.done.push(`-${end}`);
  }
}

function pumped({ spare = 5 } = {}) {
  const buffer = new Buffer();
  const failures = [];
  const pump = new Pump(buffer, { spare: () => (spare < 0 ? undefined : spare), failed: (reason) => failures.push(reason) });
  const finish = () => {
    buffer.updating = false;
    pump.updated();
  };
  return { buffer, failures, pump, finish };
}
const bytes = (...values) => new Uint8Array(values);

test('what waits goes in as one append', () => {
  const { buffer, pump, finish } = pumped();
  for (const n of [1, 2, 3]) pump.push(bytes(n));
  assert.deepEqual(buffer.done, ['1']);
  finish();
  assert.deepEqual(buffer.done, ['1', '2,3']);
});

test('a removal waits for the buffer and goes before the next append', () => {
  const { buffer, pump, finish } = pumped();
  pump.push(bytes(1));
  pump.removeBefore(3);
  pump.push(bytes(2));
  finish();
  finish();
  assert.deepEqual(buffer.done, ['1', '-3', '2']);
});

test('a full buffer is emptied and the append tried once more', () => {
  const { buffer, failures, pump, finish } = pumped();
  buffer.full = 1;
  pump.push(bytes(1));
  pump.push(bytes(2));
  finish();
  finish();
  assert.deepEqual(buffer.done, ['-5', '1', '2']);
  assert.deepEqual(failures, []);
});

test('full twice, or with nothing to spare, is a failure told once', () => {
  const twice = pumped();
  twice.buffer.full = 2;
  twice.pump.push(bytes(1));
  twice.finish();
  twice.pump.push(bytes(2));
  assert.deepEqual(twice.failures, ['quota']);
  const nothing = pumped({ spare: -1 });
  nothing.buffer.full = 1;
  nothing.pump.push(bytes(1));
  assert.deepEqual(nothing.failures, ['quota']);
});

test('a buffer that was taken away is a failure', () => {
  const { buffer, failures, pump } = pumped();
  buffer.appendBuffer = () => {
    throw Object.assign(new Error('gone'), { name: 'InvalidStateError' });
  };
  pump.push(bytes(1));
  assert.deepEqual(failures, ['append']);
});

test('a decoder that takes nothing does not fill the memory', () => {
  const { failures, pump } = pumped();
  for (let i = 0; i < 20; i += 1) pump.push(new Uint8Array(1024 * 1024));
  assert.deepEqual(failures, ['backlog']);
});
