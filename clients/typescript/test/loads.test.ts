import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Collection, type EntityChange } from '../src/collection.js';
import type { Entity } from '../src/entity.js';
import type { Frame } from '../src/messages.js';
import { type Feed, feedOf } from '../src/shown.js';
import { Model, seeded } from './harness/model.js';

const merges = feedOf({}, true);
const wholes = feedOf({ wholeEntity: true }, true);
const collectionOf = (feed: Feed) => new Collection({ at: () => 0 }, feed);
const message = (type: string, version: number | undefined, data: object | undefined, more: Frame = {}): Frame => ({
  type, tenant: 'demo', servicePath: '/', entityId: 'a', entityType: 'Room', timestamp: 't', ...(version === undefined ? {} : { version }),
  ...(data === undefined ? {} : { data }), ...more,
});
const loaded = (data: Entity['data'], id = 'a'): Entity =>
  ({ id, type: 'Room', tenant: 'demo', servicePath: '/', data, version: undefined, timestamp: '', partial: false });
const only = (collection: Collection) => [...collection.held.values()][0]?.entity;

test('a smaller version sets the attributes of which no newer version is known', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.load([loaded({ a: 0, b: 0, c: 0, d: 0 })]);
  collection.apply(message('entityUpdated', 6, { b: 6, d: 6 }, { entityType: ['Room', 'Hall'], changedAttributes: ['b', 'c', 'd'], timestamp: 'six' }));
  collection.apply(message('entityUpdated', 5, { a: 5, b: 5, c: 5 }, { changedAttributes: ['a', 'b', 'c', 'd'] }));
  assert.deepEqual(only(collection), {
    id: 'a', type: ['Room', 'Hall'], tenant: 'demo', servicePath: '/', data: { a: 5, b: 6, d: 6 }, version: 6, timestamp: 'six', partial: false,
  });
  assert.equal(collection.apply(message('entityUpdated', 5, { a: 5 })), undefined, 'a repeat');
  assert.equal(collection.isInDoubt, false);
});

test('a creation that comes after a newer change ends the attributes that are older', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.load([loaded({ a: 0, b: 0 })]);
  collection.apply(message('entityUpdated', 6, { c: 6 }));
  collection.apply(message('entityCreated', 5, { a: 5, c: 5 }));
  assert.deepEqual(only(collection)?.data, { a: 5, c: 6 });
  assert.equal(collection.apply(message('entityUpdated', 4, { a: 4, b: 4 })), undefined);
  assert.equal(collection.isInDoubt, false);
});

test('an end that comes after a newer change asks for a load', () => {
  for (const type of ['entityDeleted', 'entityLeft']) {
    const collection = collectionOf(merges);
    collection.begin();
    collection.load([loaded({ a: 0, b: 0 })]);
    collection.apply(message('entityUpdated', 6, { c: 6 }));
    assert.equal(collection.apply(message(type, 5, {})), undefined);
    assert.equal(collection.isInDoubt, true);
    collection.begin();
    collection.load([loaded({ c: 6 })]);
    for (const [kind, version] of [['entityUpdated', 4], [type, 5]] as const) {
      assert.equal(collection.apply(message(kind, version, { a: 4 })), undefined);
    }
    assert.deepEqual([only(collection)?.data, collection.isInDoubt], [{ c: 6 }, false]);
  }
});

test('a part of an entity that was deleted during a load asks for another one', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.apply(message('entityDeleted', 5, {}));
  collection.apply(message('entityUpdated', 6, { b: 6 }));
  collection.load([loaded({ a: 0, b: 0 })]);
  assert.equal(collection.isInDoubt, true);
  collection.begin();
  collection.load([loaded({ b: 6 })]);
  assert.deepEqual([only(collection)?.data, collection.isInDoubt], [{ b: 6 }, false]);
});

test('an entity that a load lacks has only what messages have shown since its beginning', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.load([loaded({ a: 0, b: 0 })]);
  collection.begin();
  collection.apply(message('entityUpdated', 6, { b: 6 }));
  collection.load([]);
  assert.deepEqual([only(collection)?.data, only(collection)?.partial], [{ b: 6 }, true]);
});

test('an entity is partial until all of it was shown', () => {
  const collection = collectionOf(merges);
  const apply = (...parameters: Parameters<typeof message>) => {
    collection.apply(message(...parameters));
    return only(collection)?.partial;
  };
  assert.equal(apply('entityUpdated', 6, { a: 6 }), true);
  assert.equal(apply('entityCreated', 4, { b: 4 }), false);
  assert.equal(apply('entityUpdated', 9, {}, { truncated: true }), true);
  assert.equal(apply('entityCreated', 8, { a: 8 }), true);
  collection.begin();
  collection.load([loaded({ a: 9 })]);
  assert.deepEqual([only(collection)?.partial, only(collection)?.data], [false, { a: 9 }]);
});

test('a late message changes nothing, and the collection has to be loaded again', () => {
  for (const late of [message('entityUpdated', 6, { a: 1 }, { late: true }), message('entityDeleted', 6, {}, { late: true })]) {
    const collection = collectionOf(merges);
    collection.begin();
    collection.load([loaded({ a: 0, b: 0 })]);
    assert.equal(collection.apply(late), undefined);
    assert.equal(collection.isInDoubt, true);
    // A late change that has changed nothing has the version of the change before it.
    collection.apply(message('entityUpdated', 6, { b: 6 }));
    assert.deepEqual(only(collection)?.data, { a: 0, b: 6 });
    collection.begin();
    assert.equal(collection.isInDoubt, false);
    collection.load([loaded({ a: 1, b: 6 })]);
    // The load knew this one.
    collection.apply(message('entityUpdated', 5, { a: 5 }));
    assert.deepEqual(only(collection)?.data, { a: 1, b: 6 });
  }
});

test('a late message with the whole entity is applied', () => {
  for (const [more, data, isInDoubt] of [[{}, { a: 1 }, false], [{ partial: true }, undefined, true], [{ truncated: true }, undefined, true]] as const) {
    const collection = collectionOf(wholes);
    collection.apply(message('entityUpdated', 6, { a: 1 }, { late: true, ...more }));
    assert.deepEqual([only(collection)?.data, collection.isInDoubt], [data, isInDoubt]);
  }
  const left = collectionOf(merges);
  left.apply(message('entityCreated', 5, { a: 1 }));
  left.apply(message('entityLeft', 6, undefined, { late: true }));
  assert.deepEqual([only(left), left.isInDoubt], [undefined, false]);
});

test('a load shows again what a late message has changed while the load before was under way', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.apply(message('entityUpdated', 6, { a: 6 }, { late: true }));
  collection.load([loaded({ a: 0 })]);
  assert.equal(collection.isInDoubt, true);
  collection.begin();
  collection.load([loaded({ a: 6 })]);
  collection.apply(message('entityUpdated', 3, { a: 3 }));
  assert.deepEqual([only(collection)?.data, collection.isInDoubt], [{ a: 6 }, false]);
});

test('a replay of an entity as it is now asks for a load, unless it has all of the entity', () => {
  const replay = (more: Frame = {}) => message('entityUpdated', 7, { a: 7 }, { replayed: true, ...more });
  const unavailable = { state: 'unavailable' };
  for (const [filter, replayed, data] of [
    [{ q: 'a>1' }, replay(), undefined],
    [{ geoQ: {} as never }, replay(), undefined],
    [{ q: 'a>1' }, replay({ type: 'entityCreated' }), { a: 7 }],
    [{ wholeEntity: true }, replay(), { a: 7 }],
    [{ wholeEntity: true }, replay({ partial: true }), undefined],
    [{ wholeEntity: true }, replay({ partial: true, truncated: true, data: {} }), undefined],
    [{ wholeEntity: true }, replay({ ...unavailable, data: {} }), undefined],
    // These have the attributes that were published.
    [{}, replay(), { a: 7, b: 0 }],
    [{ q: 'a>1' }, replay({ ...unavailable, version: undefined }), { a: 7, b: 0 }],
  ] as const) {
    const collection = collectionOf(feedOf(filter, true));
    collection.begin();
    collection.load([loaded({ a: 0, b: 0 })]);
    collection.apply(replayed);
    assert.deepEqual([only(collection)?.data, collection.isInDoubt], [data ?? { a: 0, b: 0 }, data === undefined], JSON.stringify([filter, replayed]));
    collection.begin();
    collection.load([loaded({ a: 7, c: 0 })]);
    assert.deepEqual([only(collection)?.data, only(collection)?.partial, collection.isInDoubt], [{ a: 7, c: 0 }, false, false]);
    assert.equal(collection.apply(message('entityLeft', 8, undefined, { replayed: true }))?.kind, 'removed');
  }
});

test('a load keeps the attributes that the service does not know', () => {
  const part = message('entityUpdated', 5, { a: 2 }, { partial: true, changedAttributes: ['a', 'gone'] });
  const during = collectionOf(wholes);
  during.begin();
  during.apply(part);
  assert.deepEqual([only(during)?.data, only(during)?.partial], [{ a: 2 }, true]);
  during.load([loaded({ a: 1, b: 1, gone: 1 })]);
  const after = collectionOf(wholes);
  after.begin();
  after.load([loaded({ a: 1, b: 1, gone: 1 })]);
  after.apply(part);
  for (const collection of [during, after]) {
    assert.deepEqual([only(collection)?.data, only(collection)?.partial, only(collection)?.version], [{ a: 2, b: 1 }, false, 5]);
    collection.apply(message('entityUpdated', 6, { a: 3 }));
    assert.deepEqual(only(collection)?.data, { a: 3 }, 'the service knows the whole entity');
  }
  const snapshot = new Collection({ at: () => 0 }, feedOf({ wholeEntity: true }, false));
  snapshot.apply(message('entitySnapshot', 4, { a: 1, b: 1 }));
  snapshot.apply(part);
  assert.deepEqual([only(snapshot)?.data, only(snapshot)?.partial], [{ a: 2 }, true]);
});

test('a load has the types of the newest message', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.apply(message('entityUpdated', 5, { a: 5 }, { entityType: ['Room', 'Hall'] }));
  collection.load([loaded({ a: 0, b: 0 })]);
  assert.deepEqual([only(collection)?.type, only(collection)?.data], [['Room', 'Hall'], { a: 5, b: 0 }]);
});

test('a load that finds nothing new changes nothing', () => {
  const collection = collectionOf(merges);
  collection.begin();
  collection.load([loaded({ a: 0 })]);
  const before = only(collection);
  collection.begin();
  assert.deepEqual(collection.load([loaded({ a: 0 })]), []);
  assert.equal(only(collection), before);
});

for (const [name, feed] of Object.entries({ merges, wholes })) {
  for (const hasLate of [false, true]) {
    test(`messages in any order lead to the entities of the broker: ${name}, ${hasLate ? 'with' : 'without'} late ones`, () => {
      for (let seed = 1; seed <= 600; seed += 1) {
        const model = new Model(seeded(seed), hasLate, feed.merges);
        const collection = collectionOf(feed);
        const told = new Map<string, Entity>();
        const tell = (changes: readonly (EntityChange | undefined)[]) => {
          for (const change of changes) {
            if (!change) continue;
            const { id } = (change.after ?? change.before)!;
            assert.equal(told.get(id), change.before, `seed ${seed}`);
            if (change.after) told.set(id, change.after);
            else told.delete(id);
          }
        };
        const receive = (each: Frame) => tell([collection.apply(each)]);
        /** The broker reads its entities at a moment during the load. */
        const load = (steps: number) => {
          collection.begin();
          const moment = Math.floor(model.random() * (steps + 1));
          model.run(receive, moment);
          const read = model.entities();
          model.run(receive, steps - moment);
          tell(collection.load(Object.entries(read).map(([id, data]) => loaded(data, id))));
        };
        const some = () => Math.floor(model.random() * 16);
        load(some());
        for (let loads = 0; loads < 3; loads += 1) {
          model.run(receive, some());
          if (collection.isInDoubt || model.random() < 0.3) load(some());
        }
        model.finish(receive);
        if (collection.isInDoubt) load(0);
        const found = Object.fromEntries([...told].map(([id, { data }]) => [id, data]));
        assert.deepEqual(found, model.entities(), `seed ${seed}`);
      }
    });
  }
}
