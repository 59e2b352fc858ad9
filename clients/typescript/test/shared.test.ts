import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedStream } from '../src/shared.js';
import { Scripted, eventually } from './harness/scripted.js';

test('components with an equal filter get the same subscription, also after it has failed', async (context) => {
  const server = new Scripted();
  let isRefused = true;
  server.handle = (peer, message) => isRefused && (peer.refuse(message, 'invalid_q'), true);
  const shared = new SharedStream(() => server.stream(), true);
  const leave = shared.retain();
  context.after(leave);
  const filter = { q: 'a==1' };
  const first = shared.subscription(filter)!;
  await eventually('the refusal', () => first.value.hasEnded);
  isRefused = false;
  let told = 0;
  shared.listen(() => (told += 1));
  const before = shared.attemptsOfEvents(filter);
  const second = shared.subscription(filter)!;
  // The first component subscribes again with this number, as `retry` makes it do.
  assert.deepEqual([shared.attemptsOfEvents(filter) - before, told], [1, 1]);
  assert.equal(shared.attemptsOfEntities(filter), 0);
  first.release();
  assert.equal(shared.subscription(filter)!.value, second.value);
  assert.equal(shared.attemptsOfEvents(filter) - before, 1);
});

test('a stream that its program has closed is an error of the components, and no exception', async () => {
  const stream = new Scripted().stream();
  const shared = new SharedStream(() => stream, false);
  const leave = shared.retain();
  const before = shared.subscription({})!;
  await stream.close();
  assert(before.value.hasEnded);
  assert.equal(shared.subscription({}), undefined);
  assert.equal(shared.entities({}, {}), undefined);
  assert.deepEqual([shared.end?.code, shared.snapshot({}).error?.code, shared.state.state], ['closed', 'closed', 'closed']);
  leave();
});
