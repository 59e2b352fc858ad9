import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  assert.deepEqual(at(asked(30), 1999), { seconds: 30 });
  assert.deepEqual(at(asked(29.2), 3500), { seconds: 32 });
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
