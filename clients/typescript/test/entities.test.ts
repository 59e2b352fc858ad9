import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entities } from '../src/entities.js';
import type { EntitiesOptions, LoadedEntity } from '../src/live.js';
import { type Message, type Peer, Scripted, eventually } from './harness/scripted.js';

/** Answers each `subscribe` that asks for a snapshot with these entities, by the `q` of the filter. */
function serve(server: Scripted, entities: Record<string, string[]>, hold?: (answer: () => void) => void): void {
  server.handle = (peer, message) => {
    const [one] = message.subscriptions ?? [];
    if (message.action !== 'subscribe' || !one?.['snapshot'] || message['since']) return false;
    const found = entities[String(one['q'])];
    if (!found) return peer.refuse(message, 'invalid_q'), true;
    const answer = () => {
      for (const id of found) snapshotItem(peer, id, one.subscription);
      peer.answer(message, { snapshot: found.length });
    };
    if (one['q'] === 'held') hold?.(answer);
    else answer();
    return true;
  };
}

function snapshotItem(peer: Peer, id: string, subscription: string, version = 1): void {
  const item = { type: 'entitySnapshot', tenant: 'demo', servicePath: '/', entityId: `urn:${id}`, entityType: 'Room', data: {}, timestamp: 't', version };
  peer.send({ ...item, subscriptions: [subscription] });
}

const ids = (entities: Entities) => [...entities.keys()].map((id) => id.slice(4)).sort();
const codeOf = (promise: Promise<unknown>) => promise.then(() => undefined, ({ code }: { code: string }) => code);
const room = (id: string, more: object = {}): LoadedEntity => ({ id: `urn:${id}`, type: 'Room', ...more });

test('another filter takes the place of the old one once every entity is there', async () => {
  const server = new Scripted();
  let answer: (() => void) | undefined;
  serve(server, { old: ['a', 'b'], held: ['b', 'c'] }, (held) => (answer = held));
  await using stream = server.stream();
  const rooms = stream.entities({ q: 'old' }, { name: 'rooms' });
  await rooms.ready;
  const view = rooms.view();
  const changes: string[] = [];
  rooms.onChange(({ kind, before, after }) => changes.push(`${kind} ${(after ?? before)!.id.slice(4)}`));
  const updated = rooms.update({ q: 'held' });
  await eventually('the request', () => answer !== undefined);
  const peer = server.peers[0]!;
  const names = peer.messages.map(({ subscriptions }) => subscriptions![0]!.subscription);
  // It follows the old filter until then.
  peer.event('d', 'p0100', ['rooms'], { version: 1, type: 'entityCreated' });
  peer.event('new', 'p0101', [names[1]!], { version: 1, type: 'entityCreated' });
  assert.deepEqual([ids(rooms), rooms.isComplete, changes], [['a', 'b', 'd'], true, ['added d']]);
  answer!();
  await updated;
  assert.deepEqual([ids(rooms), rooms.isComplete, rooms.state], [['b', 'c', 'new'], true, 'active']);
  assert.deepEqual(changes.slice(1).sort(), ['added c', 'added new', 'removed a', 'removed d']);
  assert.deepEqual(view.values.map(({ id }) => id.slice(4)), ['b', 'c', 'new']);
  assert.deepEqual([rooms.has('urn:a'), rooms.get('urn:b')?.version], [false, 1]);
  await eventually('the end of the old one', () => peer.asked.length === 3);
  assert.deepEqual(peer.asked[2], `unsubscribe ${names[0]}`);
  peer.event('b', 'p0102', [names[1]!], { version: 2, type: 'entityDeleted' });
  peer.event('a', 'p0103', [names[0]!], { version: 2 });
  assert.deepEqual([ids(rooms), view.size], [['c', 'new'], 2]);
});

test('a filter that the server refuses leaves the old one in force', async () => {
  const server = new Scripted();
  serve(server, { old: ['a'], next: ['b'] });
  await using stream = server.stream();
  const errors: unknown[] = [];
  const rooms = stream.entities({ q: 'old' }, { name: 'rooms' });
  rooms.on('error', (error) => errors.push(error));
  await rooms.ready;
  assert.throws(() => rooms.update({ watchedAttributes: ['x'] } as object), TypeError);
  assert.throws(() => rooms.update({}, { loads: () => [] } as object), /did you mean `load`/);
  assert.throws(() => rooms.update({}, { load: () => [] }), /the collection has no load/);
  // They take effect in their order.
  const calls = [rooms.update({ q: '(' }), rooms.update({ q: 'next' }), rooms.update({ q: ')' })];
  assert.deepEqual(await Promise.all(calls.map(codeOf)), ['invalid_q', undefined, 'invalid_q']);
  assert.deepEqual([ids(rooms), rooms.isComplete, rooms.state, errors], [['b'], true, 'active', []]);
});

test('a connection that is lost during an update begins both again', async () => {
  const server = new Scripted();
  let answers = 0;
  let answer: (() => void) | undefined;
  serve(server, { old: ['a'], held: ['b'] }, (held) => {
    answers += 1;
    answer = held;
  });
  await using stream = server.stream();
  const rooms = stream.entities({ q: 'old' }, { name: 'rooms' });
  await rooms.ready;
  const updated = rooms.update({ q: 'held' });
  await eventually('the request', () => answers === 1);
  server.peers[0]!.cut();
  await eventually('the request on the next connection', () => answers === 2);
  assert.deepEqual([ids(rooms), rooms.isComplete], [['a'], true]);
  answer!();
  await updated;
  assert.deepEqual([ids(rooms), rooms.isComplete], [['b'], true]);
});

for (const what of ['the collection', 'the stream'] as const) {
  test(`${what} is closed during an update`, async () => {
    const server = new Scripted();
    let isAsked = false;
    serve(server, { old: ['a'], held: [] }, () => (isAsked = true));
    await using stream = server.stream();
    const rooms = stream.entities({ q: 'old' });
    await rooms.ready;
    const calls = [1, 2].map(() => codeOf(rooms.update({ q: 'held' })));
    await eventually('the request', () => isAsked);
    const closed = what === 'the stream' ? stream.close() : rooms.close();
    if (what === 'the collection') server.peers[0]!.answer(server.peers[0]!.messages[1]!, { snapshot: 0 });
    assert.deepEqual(await Promise.all(calls), ['closed', 'closed']);
    await closed;
    assert.deepEqual([ids(rooms), rooms.state, await codeOf(rooms.update({}))], [['a'], 'closed', 'closed']);
    await eventually('the end', () => stream.state === (what === 'the stream' ? 'closed' : 'idle'));
  });
}

test('a collection of a service without entity state merges what `load` and the events have', async () => {
  const server = new Scripted();
  server.handle = (peer, message: Message) => {
    const wants = message.subscriptions?.some((each) => each['wholeEntity'] || each['snapshot']);
    return wants === true && (peer.refuse(message, 'not_available'), true);
  };
  await using stream = server.stream();
  assert.throws(() => stream.entities({}, { wholeEntity: false }), /wholeEntity: false needs load/);
  assert.throws(() => stream.entities({}, { wholeEntity: 'no', load: () => [] } as object), TypeError);
  let entities = [room('a', { x: 1, y: 1 })];
  const rooms = stream.entities({}, { name: 'rooms', wholeEntity: false, load: () => entities });
  await rooms.ready;
  const peer = server.peers[0]!;
  peer.event('e1', 'p0100', ['rooms'], { entityId: 'urn:a', data: { y: 2 } });
  peer.event('e2', 'p0101', ['rooms'], { entityId: 'urn:b', data: { x: 5 }, type: 'entityCreated' });
  assert.deepEqual([...rooms.values()].map(({ data }) => data), [{ x: 1, y: 2 }, { x: 5 }]);
  entities = [room('c', { z: 1 })];
  await rooms.update({ q: 'next' }, { load: () => entities });
  assert.deepEqual(ids(rooms), ['c']);
  assert.equal(peer.messages.some(({ subscriptions }) => subscriptions?.some((each) => 'wholeEntity' in each)), false);
});

test('a loaded entity without a service path has that of the filter', async () => {
  const server = new Scripted();
  await using stream = server.stream();
  const pathOf = async (servicePath: string | undefined, options: Partial<EntitiesOptions> = {}) => {
    const rooms = stream.entities({ servicePath }, { load: () => [room('a')], ...options });
    await rooms.ready;
    const path = rooms.get('urn:a')?.servicePath;
    await rooms.close();
    return path;
  };
  assert.equal(await pathOf(undefined), '/');
  assert.equal(await pathOf('/madrid'), '/madrid');
  assert.equal(await pathOf('/madrid/#'), '/madrid');
  assert.equal(await pathOf('/#'), '/');
  assert.equal(await pathOf('/madrid', { servicePath: '/paris' }), '/paris');
});

test('a late change loads the entities once more', async () => {
  const server = new Scripted();
  await using stream = server.stream();
  const loads: ((entities: LoadedEntity[]) => void)[] = [];
  const load = () => new Promise<LoadedEntity[]>((resolve) => loads.push(resolve));
  const rooms = stream.entities({}, { name: 'rooms', wholeEntity: false, load });
  await eventually('the first load', () => loads.length === 1);
  const peer = server.peers[0]!;
  const late = (id: string) => peer.event(id, `p0${id}`, ['rooms'], { entityId: 'urn:a', data: { x: 2 }, version: Number(id), late: true });
  const xOf = () => rooms.get('urn:a')?.data['x'];
  // The load that is under way may have been read before the change.
  late('100');
  loads[0]!([room('a', { x: 1 })]);
  await rooms.ready;
  assert.deepEqual([xOf(), rooms.isComplete], [1, false]);
  late('101');
  await eventually('the second load', () => loads.length === 2);
  loads[1]!([room('a', { x: 2 })]);
  await eventually('the end of the load', () => rooms.isComplete);
  assert.equal(xOf(), 2);
  for (const id of ['102', '103']) late(id);
  await eventually('the third load', () => loads.length === 3);
  // The lost connection ends the load, and the next one begins it again.
  peer.cut();
  await eventually('the fourth load', () => loads.length === 4);
  assert.equal(rooms.isComplete, false);
  loads[3]!([room('a', { x: 3 })]);
  await eventually('the end of the load', () => rooms.isComplete);
  assert.deepEqual([xOf(), loads.length], [3, 4]);
});

test('what was removed while the connection was lost is not in an entity of a query that is replayed', async () => {
  const server = new Scripted();
  server.handle = (peer, message) => {
    if (!message['since']) return false;
    peer.event('e1', 'p0100', ['rooms'], { entityId: 'urn:a', data: { x: 2 }, version: 7, replayed: true });
    return false;
  };
  await using stream = server.stream();
  let loads = 0;
  const load = () => [room('a', (loads += 1) === 1 ? { x: 1, y: 1 } : { x: 2, z: 2 })];
  const rooms = stream.entities({ q: 'x>0' }, { name: 'rooms', wholeEntity: false, load });
  await rooms.ready;
  const states: unknown[] = [];
  rooms.onChange(({ after }) => states.push(after?.data));
  server.peers[0]!.cut();
  await eventually('the load', () => loads === 2 && rooms.isComplete);
  assert.deepEqual(states, [{ x: 2, z: 2 }]);
});

for (const feed of ['a snapshot', 'a load'] as const) {
  for (const moment of ['before the socket is open', 'before the server has accepted the first filter'] as const) {
    for (const isRefused of [false, true]) {
      test(`an update ${moment} ${isRefused ? 'is refused' : 'succeeds'}, with ${feed}`, async () => {
        const server = new Scripted();
        const held: (() => void)[] = [];
        const log: string[] = [];
        server.handle = (peer, message) => {
          if (message.action !== 'subscribe') return false;
          const wanted = message.subscriptions!;
          const answer = () => {
            const refused = isRefused && wanted.find((each) => each['q'] === 'next');
            if (refused) return peer.refuse(message, 'invalid_q');
            log.push(`accepted ${wanted.map((each) => each['q']).join()}`);
            const snapshots = wanted.filter((each) => each['snapshot']);
            for (const { q, subscription } of snapshots) snapshotItem(peer, String(q), subscription);
            peer.answer(message, snapshots.length > 0 ? { snapshot: snapshots.length } : {});
          };
          if (held.length === 0) held.push(answer);
          else answer();
          return true;
        };
        await using stream = server.stream();
        const load = (q: string) => () => (log.push(`load ${q}`), [room(q)]);
        const loads = feed === 'a load';
        const rooms = stream.entities({ q: 'old' }, loads ? { load: load('old') } : {});
        if (moment !== 'before the socket is open') await eventually('the request', () => held.length === 1);
        const updated = codeOf(rooms.update({ q: 'next' }, loads ? { load: load('next') } : {}));
        await eventually('the request', () => held.length === 1);
        held[0]!();
        assert.equal(await updated, isRefused ? 'invalid_q' : undefined);
        await rooms.ready;
        assert.deepEqual([ids(rooms), rooms.isComplete, rooms.state], [[isRefused ? 'old' : 'next'], true, 'active']);
        const [accepted, loaded] = ['accepted', 'load'].map((what) => log.findIndex((each) => each.startsWith(what) && each.includes('next')));
        assert(!loads || isRefused || (accepted! >= 0 && accepted! < loaded!), log.join());
        assert(!isRefused || loaded === -1, log.join());
      });
    }
  }
}

test('a message that closes the connection makes a collection incomplete until the next one', async () => {
  const server = new Scripted();
  server.handle = (peer, { subscriptions }) => subscriptions?.some((each) => each['q'] === 'large') && (peer.cut(1009), true);
  await using stream = server.stream();
  const rooms = stream.entities({}, { load: () => [room('a')] });
  await rooms.ready;
  const told: boolean[] = [];
  rooms.on('complete', (isComplete) => told.push(isComplete));
  assert.equal(await codeOf(rooms.update({ q: 'large' })), 'message_too_large');
  await eventually('the next connection', () => rooms.isComplete && server.peers.length === 2);
  assert.deepEqual([told, ids(rooms)], [[false, true], ['a']]);
});
