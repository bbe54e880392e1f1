import assert from 'node:assert/strict';
import { test } from 'node:test';
import { may, needsOf, nextStep, verdictsAt } from '../src/actions/flow.ts';

const at = (step, more = {}) => ({ step, suspended: false, outcome: null, acknowledged_by: null, owner: null, responder: null, ...more });
const operator = { name: 'wang', role: 'operator' };
const lead = { name: 'li', role: 'lead' };
const responder = { name: 'zhao', role: 'responder' };
const viewer = { name: 'chen', role: 'viewer' };

test('the seven steps follow each other', () => {
  const steps = ['report', 'accept', 'file', 'dispatch', 'handle', 'verify', 'close'];
  for (const [nth, step] of steps.slice(0, -1).entries()) assert.equal(nextStep(at(step)), steps[nth + 1]);
  assert.equal(nextStep(at('accept', { suspended: true })), undefined);
  assert.equal(nextStep(at('verify', { outcome: { type: 'closed', verdict: 'true' } })), undefined);
});

test('whoever handled it cannot verify it', () => {
  const incident = at('handle', { responder: 'wang' });
  assert.equal(may(incident, 'verify', operator), false);
  assert.equal(may(incident, 'verify', lead), true);
});

test('a responder reports back on what was dispatched to them alone', () => {
  assert.equal(may(at('dispatch', { responder: 'zhao' }), 'handle', responder), true);
  assert.equal(may(at('dispatch', { responder: 'sun' }), 'handle', responder), false);
  assert.equal(may(at('report'), 'acknowledge', responder), false);
  assert.equal(may(at('report'), 'note', responder), true);
  assert.equal(may(at('report'), 'note', viewer), false);
});

test('only a lead holds, resumes and reopens', () => {
  assert.equal(may(at('file'), 'suspend', operator), false);
  assert.equal(may(at('file'), 'suspend', lead), true);
  assert.equal(may(at('close', { outcome: { type: 'cancelled' } }), 'reopen', lead), true);
  assert.equal(may(at('file'), 'reopen', lead), false);
});

test('nothing but a note and reopening is left when it has ended', () => {
  const ended = at('close', { outcome: { type: 'closed', verdict: 'true' } });
  const moves = ['acknowledge', 'take', 'accept', 'file', 'dispatch', 'handle', 'return', 'verify', 'close', 'reject', 'merge', 'cancel', 'suspend'];
  for (const move of moves) assert.equal(may(ended, move, lead), false, move);
});

test('what was real is closed after it was verified', () => {
  assert.equal(may(at('report'), 'close', operator), false);
  assert.deepEqual(verdictsAt(at('accept')), ['false', 'nuisance']);
  assert.ok(verdictsAt(at('verify')).includes('true'));
});

test('side moves want a reason', () => {
  for (const move of ['return', 'reject', 'merge', 'suspend', 'cancel', 'reopen', 'close']) assert.ok(needsOf(move).includes('reason'), move);
  assert.deepEqual(needsOf('acknowledge'), []);
});
