import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Beginning, wireSince } from '../src/since.js';
import type { SubscribeOptions } from '../src/subscription.js';
import { Scripted, eventually } from './harness/scripted.js';

test('what is no `since` is refused at the call, and the stream has no subscription', async () => {
  const server = new Scripted();
  await using stream = server.stream();
  const wrong = [
    30, '30', true, [], {}, { second: 30 }, { seconds: '30' }, { seconds: -1 }, { seconds: NaN }, { seconds: Infinity }, { seconds: null },
    { position: 'p' }, { position: 1, session: 's' }, { seconds: 1, position: 'p', session: 's' },
  ];
  for (const since of wrong) {
    assert.throws(() => stream.subscribe({}, { name: 'a', since } as unknown as SubscribeOptions), TypeError, JSON.stringify(since));
  }
  assert.throws(() => stream.subscribe({}, { since: { second: 30 } as unknown as { seconds: number } }), /since has no `second`; did you mean `seconds`\?/);
  assert.equal(stream.state, 'idle');
  const bookmark = { position: 'p', session: 's' };
  const right = stream.subscribe({}, { name: 'a', since: bookmark });
  bookmark.position = 'later';
  await right.ready;
  assert.deepEqual(server.peers[0]!.messages[0]!['since'], { position: 'p', session: 's' });
});

test('an option of another type is refused at the call, and the stream has no subscription', async () => {
  const server = new Scripted();
  await using stream = server.stream();
  for (const options of [{ signal: {} }, { signal: 'x' }, { signal: null }, { signal: { aborted: false } }, { snapshot: 'yes' }, { name: 7 }]) {
    assert.throws(() => stream.subscribe({}, options as object), TypeError, JSON.stringify(options));
  }
  for (const options of [{ signal: {} }, { load: [] }, { servicePath: 7 }, { name: 7 }]) {
    assert.throws(() => stream.entities({}, options as object), TypeError, JSON.stringify(options));
  }
  assert.equal(stream.state, 'idle');
  assert.equal(stream.subscribe({}, { signal: AbortSignal.abort() }).state, 'closed');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([stream.state, server.peers.length], ['idle', 0]);
});

test('the seconds of `since` count from the call', () => {
  const asked = (seconds: number): Beginning => ({ since: { seconds }, askedAt: 1000 });
  const at = (beginning: Beginning, now: number) => wireSince(beginning, now);
  assert.deepEqual(at(asked(30), 1000), { seconds: 30 });
  assert.deepEqual(at(asked(30), 1999), { seconds: 31 });
  assert.deepEqual(at(asked(29.2), 3500), { seconds: 32 });
  assert.deepEqual(at(asked(29.5), 1400), { seconds: 30 });
  assert.deepEqual(at(asked(1e12), 3500), { seconds: 2 ** 32 - 1 });
  assert.deepEqual(at({ since: { position: 'p', session: 's' }, askedAt: 0 }, 9000), { position: 'p', session: 's' });
});

test('a subscription with `since` and a snapshot on an open connection gets both', async () => {
  const server = new Scripted();
  await using stream = server.stream();
  await stream.subscribe({ entityTypes: ['A'] }, { name: 'a' }).ready;
  server.handle = (peer, message) => {
    const { action, since, subscriptions } = message;
    if (action !== 'subscribe' || !subscriptions!.some(({ snapshot }) => snapshot)) return false;
    if (since) peer.event('e1', 'p0002', ['b'], { replayed: true });
    else peer.send({ type: 'entitySnapshot', tenant: 'demo', servicePath: '/', entityId: 'urn:1', entityType: 'B', data: {}, version: 1, subscriptions: ['b'] });
    peer.answer(message, since ? { replayed: 1 } : { snapshot: 1 });
    return true;
  };
  const told: unknown[] = [];
  const both = stream.subscribe({ entityTypes: ['B'] }, { name: 'b', snapshot: true, since: { seconds: 30 } });
  both.on('event', ({ id }) => told.push(id));
  both.on('recovered', (verdict) => told.push(verdict));
  both.on('snapshot', ({ entities }) => told.push(entities.map(({ entityId }) => entityId)));
  await eventually('the snapshot', () => told.length >= 3);
  assert.deepEqual(told, ['e1', { replayed: 1 }, ['urn:1']]);
  assert.deepEqual(server.peers[0]!.asked, ['subscribe a', 'subscribe b', 'subscribe b']);
});

/** A clock that stands still between the steps of a test. */
function clock(context: TestContext): (ms: number) => Promise<void> {
  let now = performance.now();
  context.mock.method(performance, 'now', () => now);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  return async (ms) => {
    now += ms;
    context.mock.timers.tick(ms);
    await settled();
  };
}

/** Resolves when everything that needs no time has happened: the scripted server uses `setImmediate` alone. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('a second `since` on a connection waits for ten seconds after the answer to the first one', async (context) => {
  const server = new Scripted();
  const pass = clock(context);
  let held: (() => void) | undefined;
  server.handle = (peer, message) => {
    if (message.subscriptions?.[0]?.subscription !== 'a') return false;
    held = () => peer.answer(message);
    return true;
  };
  const stream = server.stream();
  context.after(() => stream.close());
  stream.subscribe({}, { name: 'a', since: { seconds: 30 } });
  await settled();
  await pass(4000);
  held!();
  await settled();
  stream.subscribe({}, { name: 'b', since: { seconds: 60 } });
  await settled();
  await pass(9000);
  assert.deepEqual(server.peers[0]!.asked, ['subscribe a']);
  await pass(1000);
  assert.deepEqual(server.peers[0]!.asked, ['subscribe a', 'subscribe b']);
  assert.deepEqual(server.peers[0]!.messages[1]!['since'], { seconds: 70 });
});

test('a `since` that the server refuses as too soon is sent once more, and holds up no other subscription', async (context) => {
  const server = new Scripted();
  const pass = clock(context);
  const refusals = new Map([['b', 1], ['d', 2]]);
  server.handle = (peer, message) => {
    const name = message.subscriptions?.[0]?.subscription ?? '';
    const left = refusals.get(name) ?? 0;
    if (message.action !== 'subscribe' || left === 0) return false;
    refusals.set(name, left - 1);
    peer.refuse(message, 'limit_exceeded');
    return true;
  };
  const stream = server.stream();
  context.after(() => stream.close());
  stream.subscribe({}, { name: 'a' });
  await settled();
  const second = stream.subscribe({}, { name: 'b', since: { seconds: 30 } });
  await settled();
  stream.subscribe({}, { name: 'c' });
  await settled();
  await pass(9000);
  assert.deepEqual(server.peers[0]!.asked, ['subscribe a', 'subscribe b', 'subscribe c']);
  assert.equal(second.state, 'pending');
  await pass(1000);
  assert.deepEqual(server.peers[0]!.asked.slice(3), ['subscribe b']);
  assert.equal(second.state, 'active');
  const third = stream.subscribe({}, { name: 'd', since: { seconds: 30 } });
  const failure = assert.rejects(third.ready, { code: 'limit_exceeded' });
  await settled();
  await pass(10_000);
  assert.equal(third.state, 'pending');
  await pass(10_000);
  await failure;
  assert.deepEqual(server.peers[0]!.asked.slice(4), ['subscribe d', 'subscribe d']);
  assert.deepEqual([server.peers.length, stream.state], [1, 'connected']);
});
