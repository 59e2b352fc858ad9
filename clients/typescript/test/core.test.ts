import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestError } from '../src/errors.js';
import { checkedFilter, filterInForce, filterKey, filterOfEntities } from '../src/filter.js';
import { type Frame, entitiesOf, parseFrame } from '../src/messages.js';
import { OnlineTime } from '../src/online.js';
import { type Change, Registry } from '../src/registry.js';
import { Resumption } from '../src/resumption.js';
import { SeenEvents } from '../src/seen.js';
import { receiveSnapshot } from '../src/snapshot.js';
import type { Receiver, Wire } from '../src/wire.js';

test('unknown fields are refused, with the one that was meant', () => {
  for (const [filter, expected] of [
    [{ entityType: ['Room'] }, /a filter has no `entityType`; did you mean `entityTypes`\?/],
    [{ entity_types: ['Room'] }, /did you mean `entityTypes`/],
    [{ geoq: {} }, /did you mean `geoQ`/],
    [{ snapshot: true }, /a filter has no `snapshot`; it has entityTypes, /],
  ] as const) {
    assert.throws(() => checkedFilter(filter as object), (error: Error) => error instanceof TypeError && expected.test(error.message), JSON.stringify(filter));
  }
  assert.throws(() => filterOfEntities({ watchedAttributes: ['speed'] }), /the filter of entities has no `watchedAttributes`/);
  assert.deepEqual(filterOfEntities({ q: 'a', idPattern: '' }), { q: 'a', wholeEntity: true });
});

test('fields that do not restrict are left out, and the order does not count', () => {
  const types = ['Room'];
  const copy = checkedFilter({ entityTypes: types, entityIds: [], idPattern: '', q: undefined, showChanges: false });
  types.push('Bus');
  assert.deepEqual(copy, { entityTypes: ['Room'] });
  assert.equal(filterKey({ q: 'a', entityTypes: ['x'] }), filterKey({ entityTypes: ['x'], q: 'a', attributes: [] }));
  const answer = { type: 'subscribed', subscriptions: [{ subscription: 'a', q: '1' }, { subscription: 'b', q: '2' }], position: 'p' };
  assert.deepEqual(filterInForce(answer, 'b'), { q: '2' });
  assert.deepEqual(filterInForce({ type: 'subscribed', subscription: 'a', idPattern: 'x', session: 's' }, 'a'), { idPattern: 'x' });
});

test('frames are unpacked, and unknown ones ignored', () => {
  const read = (value: unknown) => entitiesOf(parseFrame(JSON.stringify(value), JSON.parse) ?? {});
  const event = { type: 'entityLeft', entityId: 'urn:1' };
  assert.deepEqual(read(event), [event]);
  assert.deepEqual(read({ type: 'events', events: [event, { type: 'newer', entityId: 'urn:2' }, 7, null] }), [event]);
  assert.deepEqual(read({ type: 'events' }), []);
  for (const other of [{ type: 'pong' }, { type: 'entityUpdated' }, [], 'x', null]) assert.equal(read(other), undefined);
  assert.equal(parseFrame('{', JSON.parse), undefined);
  assert.equal(parseFrame(new ArrayBuffer(1), JSON.parse), undefined);
});

test('an event is new once for each subscription, for 15 minutes online', () => {
  let now = 0;
  const online = new OnlineTime(() => now);
  const seen = new SeenEvents(online, 3);
  online.online();
  assert(seen.insert('a', 1));
  assert(!seen.insert('a', 1));
  assert(seen.insert('a', 2), 'another subscription');
  now += 60_000;
  online.offline();
  now += 3_600_000;
  online.online();
  assert(!seen.insert('a', 1), 'a minute online, and an hour offline');
  now += 14 * 60_000 + 1;
  assert(seen.insert('a', 1));
  for (const id of ['b', 'c', 'd']) assert(seen.insert(id, 1));
  assert.equal(seen.size, 3);
  assert(seen.insert('a', 1), 'the oldest is forgotten');
});

test('a position counts once all subscriptions are answered, and never goes back', () => {
  const resumption = new Resumption();
  resumption.seen('p5');
  assert.equal(resumption.bookmark, undefined);
  resumption.proceed(resumption.answered({ position: 'p1', session: 'x' }, false).step);
  resumption.seen('p3');
  resumption.seen('p2');
  resumption.seen(7);
  assert.deepEqual(resumption.bookmark, { position: 'p3', session: 'x' });
  resumption.proceed(resumption.accepted({ position: 'p2', session: 'x' }).step);
  assert.deepEqual(resumption.bookmark, { position: 'p3', session: 'x' });

  const heardAt = new Date(1);
  resumption.lost(heardAt);
  resumption.lost(new Date(2));
  const good = resumption.answered({ position: 'p2', session: 'y', recovered: true }, true);
  assert.deepEqual(good.verdict, { recovered: true });
  resumption.proceed(good.step);
  assert.deepEqual(resumption.bookmark, { position: 'p3', session: 'y' });

  resumption.lost(heardAt);
  const bad = resumption.answered({ position: 'p2', session: 'z', recovered: false, reason: 'expired' }, true);
  assert.deepEqual(bad.verdict, { recovered: false, reason: 'expired', missedSince: heardAt });
  resumption.proceed(bad.step);
  assert.deepEqual(resumption.bookmark, { position: 'p2', session: 'z' });

  resumption.lost(heardAt);
  const none = resumption.answered({}, true);
  assert.deepEqual(none.verdict, { recovered: false, reason: 'unavailable', missedSince: heardAt });
  resumption.proceed(none.step);
  assert.equal(resumption.bookmark, undefined);
  assert.equal(resumption.answered({}, false).verdict, undefined, 'one verdict for a gap');
  assert(resumption.isTooSoon());
  assert(!resumption.isTooSoon());
});

test('a snapshot goes on until there is no next part', async () => {
  const script = async (answers: (Frame | Error)[], first?: Frame) => {
    const asked: string[] = [];
    const next = (what: string) => {
      asked.push(what);
      const answer = answers.shift()!;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
    await receiveSnapshot(first, {
      begin: () => next('begin'),
      proceed: (token) => next(token),
      pause: () => Promise.resolve(void asked.push('pause')),
      isWanted: () => true,
    });
    return asked;
  };
  const expired = new RequestError('invalid_snapshot_token', 'no', 'snapshot');
  const failed = new RequestError('internal', 'no', 'snapshot');
  assert.deepEqual(await script([], { snapshot: 3 }), []);
  assert.deepEqual(await script([{ snapshot: 1, snapshotNext: 'b' }, { snapshot: 1 }], { snapshot: 1, snapshotNext: 'a' }), ['a', 'b']);
  assert.deepEqual(await script([{ snapshot: 1 }]), ['begin']);
  assert.deepEqual(await script([{ snapshot: 0 }], { snapshot: 0, snapshotNext: 'a' }), ['pause', 'a']);
  assert.deepEqual(await script([expired, { snapshot: 1, snapshotNext: 'b' }, failed, { snapshot: 1 }], { snapshot: 1, snapshotNext: 'a' }), ['a', 'begin', 'b', 'pause', 'b']);
  const again = { snapshot: 1, snapshotNext: 'a' };
  await assert.rejects(script(Array.from({ length: 6 }, () => failed), again), { code: 'server_error' });
  await assert.rejects(script([expired, again, expired, again, expired, again, expired], again), { code: 'server_error' });
});

let ids = 0;
const receiver = (told: string[] = []): Receiver => ({
  id: (ids += 1),
  began: () => told.push('began'),
  accepted: ({ name }) => told.push(`accepted ${name}`),
  event: () => {},
  snapshotItem: () => {},
  snapshotRestarted: () => {},
  snapshotComplete: () => {},
  recovered: () => {},
  notRecovered: () => {},
  lost: () => {},
  failed: () => told.push('failed'),
});
const wire = (name: string, more: Partial<Wire> = {}): Wire => ({ name, filter: {}, snapshot: false, since: undefined, receiver: receiver(), ...more });
const names = (wires: readonly Wire[]) => wires.map(({ name }) => name);

test('a connection has sixteen subscriptions, and a message has 32 KB', async () => {
  const registry = new Registry();
  for (let number = 0; number < 16; number += 1) registry.add(wire(`n${number}`)).catch(() => {});
  await assert.rejects(registry.add(wire('more')), { code: 'limit_exceeded', message: /at most 16 subscriptions/ });
  const large = { entityTypes: Array.from({ length: 49 }, (_, place) => String(place).padEnd(256, '界')) };
  await assert.rejects(new Registry().add(wire('large', { filter: large })), { code: 'limit_exceeded', message: /bytes; the server takes 32768/ });
});

test('a subscription is replaced under another name, or under its own if there is no place', async () => {
  const registry = new Registry();
  const told: string[] = [];
  const map = wire('map', { receiver: receiver(told) });
  const added = registry.add(map);
  registry.begin([map]);
  registry.accept([map])[0]!.resolve({ q: 'a' });
  assert.deepEqual(await added, { q: 'a' });

  void registry.replace(map, { q: 'b' });
  const { wire: next } = registry.next(true)!;
  assert.equal(next.name, 'map:1');
  registry.begin([next as Wire]);
  assert.equal(registry.receiverOf('map'), registry.receiverOf('map:1'));
  registry.accept([next as Wire]);
  const removal = registry.next(true) as Change;
  assert.deepEqual([removal.kind, removal.wire.name], ['remove', 'map']);
  registry.removed(removal);
  assert.deepEqual([names(registry.restored), registry.receiverOf('map')], [['map:1'], undefined]);
  assert.deepEqual(told, ['began', 'accepted map', 'began', 'accepted map:1']);

  const others = Array.from({ length: 15 }, (_, number) => wire(`n${number}`));
  for (const other of others) registry.add(other).catch(() => {});
  registry.accept(others);
  const refused = registry.replace(next as Wire, { q: '(' });
  const { wire: same } = registry.next(true)!;
  assert.equal(same.name, 'map:1');
  registry.begin([same as Wire]);
  registry.refuse(same as Wire, new RequestError('invalid_q', 'no', 'subscribe'));
  await assert.rejects(refused, { code: 'invalid_q' });
  assert(registry.receiverOf('map:1'), 'the former filter stays');
});

test('a subscription that is closed during an exchange leaves nothing behind, whatever the server answers', async () => {
  for (const isAccepted of [true, false]) {
    const registry = new Registry();
    const map = wire('map');
    registry.add(map).catch(() => {});
    registry.begin([map]);
    registry.accept([map]);
    const replaced = registry.replace(map, { q: 'b' }).catch(() => {});
    const next = registry.next(true)!.wire as Wire;
    registry.begin([next]);
    const closed = registry.remove(map.receiver);
    if (isAccepted) registry.accept([next]);
    else registry.refuse(next, new RequestError('invalid_q', 'no', 'subscribe'));
    const removed: string[] = [];
    for (let change = registry.next(true); change; change = registry.next(true)) {
      removed.push(change.wire.name);
      registry.removed(change);
    }
    assert.deepEqual([removed, registry.restored, registry.routed], [['map', 'map:1'], [], []]);
    await closed;
    if (!isAccepted) await replaced;
  }
});

test('a first message that failed is followed by one of what is there, or of one that is new', () => {
  const registry = new Registry();
  const [one, two] = [wire('one'), wire('two')];
  for (const each of [one, two]) registry.add(each).catch(() => {});
  assert.deepEqual(names(registry.opening(undefined, true).wires), ['one']);
  registry.begin([one]);
  registry.accept([one]);
  assert.deepEqual(names(registry.opening(undefined, true).wires), ['one']);
  assert.deepEqual(names(registry.opening(undefined).wires), ['one', 'two']);
});

test('the first message has what is there and what is new, and events of one beginning', async (context) => {
  const now = performance.now();
  context.mock.method(performance, 'now', () => now);
  const registry = new Registry();
  const since = { seconds: 30 };
  const beginning = (seconds: number) => ({ since: { since: { seconds }, askedAt: now } });
  const [first, rewound, later] = [wire('first'), wire('rewound', beginning(30)), wire('later', beginning(60))];
  for (const each of [first, rewound, later]) registry.add(each).catch(() => {});
  let opening = registry.opening(undefined);
  assert.deepEqual([names(opening.wires), opening.since], [['first', 'rewound'], since]);
  registry.begin(opening.wires);
  registry.accept(opening.wires);
  assert.equal(registry.next(false), undefined, 'another `since` has to wait');
  assert.equal(registry.next(true)?.wire.name, 'later');

  const bookmark = { position: 'p', session: 's' };
  opening = registry.opening(bookmark);
  assert.deepEqual([names(opening.wires), opening.since], [['first', 'rewound'], bookmark]);

  // A request under way when the connection ends is sent again, unless the program has closed its subscription.
  registry.begin([later]);
  const closed = registry.remove(later.receiver);
  registry.disconnected();
  await closed;
  assert.deepEqual(names(registry.opening(undefined).wires), ['first', 'rewound']);
  assert.equal(registry.hasChanges, false);
});

test('a refusal is the fault of the subscription that it names, or of the newest', () => {
  const registry = new Registry();
  const [old, one, two] = [wire('old'), wire('one'), wire('two')];
  registry.add(old).catch(() => {});
  registry.accept([old]);
  assert.equal(registry.atFault([old], undefined), old);
  for (const each of [one, two]) registry.add(each).catch(() => {});
  assert.equal(registry.atFault([old, one, two], 'one'), one);
  assert.equal(registry.atFault([old, one, two], undefined), two);
  assert.equal(registry.atFault([old, wire('x')], undefined), undefined);
});
