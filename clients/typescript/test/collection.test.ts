import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Collection, type EntityChange } from '../src/collection.js';
import type { Entity } from '../src/entity.js';
import type { Frame } from '../src/messages.js';
import { feedOf } from '../src/shown.js';
import { EntityView } from '../src/view.js';
import { seeded } from './harness/model.js';

const always = { at: () => 0 };
const whole = feedOf({ wholeEntity: true }, false);
const loads = feedOf({ wholeEntity: true }, true);
const message = (type: string, id: string, version?: number, more: Frame = {}): Frame => ({
  type, tenant: 'demo', servicePath: '/', entityId: id, entityType: 'Room', timestamp: 't', ...(version === undefined ? {} : { version }),
  ...(type === 'entityDeleted' || type === 'entityLeft' ? {} : { data: { v: version } }), ...more,
});
const kinds = (changes: readonly (EntityChange | undefined)[]) => changes.map((change) => change && `${change.kind} ${(change.after ?? change.before!).id}`);
const ids = (collection: Collection) => [...collection.held.values()].map(({ entity }) => entity.id).sort();
const data = (collection: Collection) => Object.fromEntries([...collection.held.values()].map(({ entity }) => [entity.id, entity.data]));

test('messages in any order, and any number of times, leave the entities of the latest versions', () => {
  const random = seeded(7);
  for (let round = 0; round < 300; round += 1) {
    const collection = new Collection(always, whole);
    const messages: Frame[] = [];
    const expected = new Map<string, unknown>();
    for (const id of ['a', 'b', 'c']) {
      let version = 0;
      for (let step = 0; step < 6; step += 1) {
        version += 1 + Math.floor(random() * 3);
        const end = random() < 0.3;
        messages.push(message(end ? (random() < 0.5 ? 'entityDeleted' : 'entityLeft') : random() < 0.2 ? 'entitySnapshot' : 'entityUpdated', id, version));
        if (end) expected.delete(id);
        else expected.set(id, { v: version });
      }
    }
    const disordered = [...messages, ...messages.filter(() => random() < 0.5)].sort(() => random() - 0.5);
    const state = new Map<string, Entity>();
    for (const each of disordered) {
      const change = collection.apply(each);
      if (!change) continue;
      // The changes lead from each state to the next.
      const { id } = (change.after ?? change.before)!;
      assert.equal(state.get(id), change.before);
      if (change.after) state.set(id, change.after);
      else state.delete(id);
    }
    assert.deepEqual(data(collection), Object.fromEntries(expected));
  }
});

test('what a snapshot lacks is gone, unless a message has shown it since the beginning', () => {
  const collection = new Collection(always, whole);
  collection.begin();
  for (const id of ['a', 'b', 'c']) collection.apply(message('entitySnapshot', id, 5));
  assert.deepEqual(collection.complete(), []);
  collection.begin();
  assert.equal(collection.apply(message('entitySnapshot', 'a', 5)), undefined);
  collection.apply(message('entityUpdated', 'b', 6));
  assert.deepEqual(kinds(collection.complete()), ['removed c']);
  assert.equal(collection.apply(message('entityUpdated', 'c', 5)), undefined, 'a late message does not bring it back');
  assert.deepEqual(kinds([collection.apply(message('entityCreated', 'c', 6))]), ['added c']);
  assert.deepEqual(ids(collection), ['a', 'b', 'c']);
});

test('an entity is a tenant, a service path and an id', () => {
  const collection = new Collection(always, whole);
  for (const servicePath of ['/', '/x']) collection.apply(message('entityUpdated', 'a', 1, { servicePath }));
  assert.equal(collection.held.size, 2);
  collection.apply(message('entityDeleted', 'a', 2, { servicePath: '/x' }));
  assert.equal(collection.held.size, 1);
});

test('messages without a version are merged, and end an entity', () => {
  const collection = new Collection(always, whole);
  collection.apply(message('entityCreated', 'a', undefined, { data: { x: 1, y: 1, z: 1 } }));
  collection.apply(message('entityUpdated', 'a', undefined, { data: { x: 2 }, changedAttributes: ['x', 'y'] }));
  const [{ entity }] = collection.held.values() as unknown as [{ entity: Entity }];
  assert.deepEqual([entity.data, entity.partial], [{ x: 2, z: 1 }, false]);
  collection.apply(message('entityUpdated', 'a', undefined, { data: {}, truncated: true }));
  assert.deepEqual([...collection.held.values()].map(({ entity: { data, partial } }) => [data, partial]), [[{ x: 2, z: 1 }, true]]);
  assert.deepEqual(kinds([collection.apply(message('entityDeleted', 'a'))]), ['removed a']);
});

test('versions of entities that are gone are remembered for 15 minutes online', () => {
  let now = 0;
  const collection = new Collection({ at: () => now }, whole);
  collection.apply(message('entityDeleted', 'a', 5));
  now = 15 * 60_000;
  assert.equal(collection.apply(message('entityUpdated', 'a', 4)), undefined);
  assert.equal(collection.apply(message('entityUpdated', 'a', undefined)), undefined);
  now += 1;
  assert.deepEqual(kinds([collection.apply(message('entityUpdated', 'a', 4))]), ['added a']);
});

test('an event without a version shows an entity again that had left, and not one that was deleted', () => {
  for (const [end, expected] of [['entityLeft', 'added a'], ['entityDeleted', undefined]] as const) {
    const collection = new Collection(always, whole);
    collection.apply(message('entityUpdated', 'a', 5));
    collection.apply(message(end, 'a', 6));
    assert.deepEqual(kinds([collection.apply(message('entityUpdated', 'a', undefined, { data: { v: 7 }, state: 'unavailable' }))]), [expected]);
    assert.equal(collection.apply(message('entityUpdated', 'a', 6)), undefined, 'an older one');
    assert.deepEqual(kinds([collection.apply(message('entityCreated', 'a', undefined, { data: {}, state: 'unavailable' }))]), [expected ? 'updated a' : 'added a']);
  }
});

test('an entity that is too large for the service keeps its attributes', () => {
  const collection = new Collection(always, whole);
  collection.apply(message('entityUpdated', 'a', 5));
  for (const type of ['entityUpdated', 'entitySnapshot']) collection.apply(message(type, 'a', 6, { data: {}, state: 'unavailable' }));
  assert.deepEqual([...collection.held.values()].map(({ entity: { data, version, partial } }) => [data, version, partial]), [[{ v: 5 }, 6, true]]);
});

test('a load gives way to what messages have brought or removed since the beginning', () => {
  const collection = new Collection(always, loads);
  const loaded = (id: string, v: number): Entity => ({ id, type: 'Room', tenant: 'demo', servicePath: '/', data: { v }, version: undefined, timestamp: '', partial: false });
  collection.begin();
  collection.apply(message('entityUpdated', 'a', 7));
  collection.apply(message('entityDeleted', 'b', 3));
  collection.apply(message('entityDeleted', 'unversioned'));
  assert.deepEqual(kinds(collection.load([loaded('a', 0), loaded('b', 0), loaded('c', 0), loaded('unversioned', 0)])), ['added c']);
  assert.deepEqual(data(collection), { a: { v: 7 }, c: { v: 0 } });
  collection.begin();
  collection.apply(message('entityUpdated', 'c', 1));
  // A later load shows the changes that a lost connection has missed.
  assert.deepEqual(kinds(collection.load([loaded('a', 9), loaded('c', 0), loaded('d', 0)])), ['updated a', 'added d']);
  assert.equal(collection.apply(message('entityUpdated', 'a', 6)), undefined, 'the version stays');
  collection.begin();
  assert.deepEqual(kinds(collection.load([loaded('d', 1)])), ['updated d', 'removed a', 'removed c']);
});

test('a load is merged with the parts of entities that messages have brought since the beginning', () => {
  for (const [merges, version] of [[false, undefined], [true, 5]] as const) {
    const collection = new Collection(always, feedOf({ wholeEntity: !merges }, true));
    const more = version === undefined ? {} : { version };
    const update = (id: string, data: object, fields: Frame = {}) => collection.apply(message('entityUpdated', id, undefined, { ...more, data, ...fields }));
    const loaded = (id: string, data: Entity['data']): Entity => ({ id, type: 'Room', tenant: 'demo', servicePath: '/', data, version: undefined, timestamp: '', partial: false });
    collection.begin();
    update('a', { x: 2 });
    update('b', { x: 2 }, { changedAttributes: ['x', 'gone'] });
    collection.apply(message('entityCreated', 'c', version, { data: { x: 2 } }));
    collection.load([loaded('a', { x: 1, y: 1 }), loaded('b', { x: 1, y: 1, gone: 1 }), loaded('c', { x: 1, y: 1 }), loaded('d', { x: 1 })]);
    assert.deepEqual(data(collection), { a: { x: 2, y: 1 }, b: { x: 2, y: 1 }, c: { x: 2 }, d: { x: 1 } });
    assert([...collection.held.values()].every(({ entity }) => !entity.partial));
    assert.equal(collection.held.get([...collection.held.keys()][0]!)!.entity.version, version);
    // A change that a gap has swallowed comes with the next load, though an event has shown the entity since.
    collection.begin();
    collection.apply(message('entityUpdated', 'a', undefined, { ...(version === undefined ? {} : { version: 6 }), data: { x: 3 } }));
    assert.deepEqual(kinds(collection.load([loaded('a', { x: 2, y: 2 })])), ['updated a', 'removed b', 'removed c', 'removed d']);
    assert.deepEqual(data(collection), { a: { x: 3, y: 2 } });
  }
});

test('a successor begins empty, and knows what was deleted', () => {
  const old = new Collection(always, whole);
  for (const id of ['same', 'other', 'gone']) old.apply(message('entityUpdated', id, 5));
  old.apply(message('entityLeft', 'left', 5));
  old.apply(message('entityDeleted', 'deleted', 5));
  old.apply(message('entityDeleted', 'back', 5));
  old.apply(message('entityLeft', 'back', 7));
  const next = old.successor(whole);
  assert.equal(next.held.size, 0);
  assert.equal(next.apply(message('entityUpdated', 'deleted', 4)), undefined);
  for (const [id, version] of [['same', 5], ['other', 6], ['left', 5], ['back', 7]] as const) next.apply(message('entitySnapshot', id, version));
  const changes = old.changesTo(next);
  assert.deepEqual(kinds(changes), ['removed gone', 'updated other', 'added left', 'added back']);
  const entities = ({ held }: Collection) => new Map([...held.values()].map(({ entity }) => [entity.id, entity]));
  assert.equal(entities(next).get('same'), entities(old).get('same'), 'views know it by the object');
});

test('a view is what sorting the whole collection would give, after each change', () => {
  const random = seeded(11);
  const value = ({ data }: Entity) => Number(data['v']);
  const options = { sort: (a: Entity, b: Entity) => value(b) - value(a), filter: (entity: Entity) => value(entity) % 3 !== 0, limit: 5 };
  const collection = new Collection(always, whole);
  const view = new EntityView([], options, () => {});
  let told = view.values;
  view.onChange((values) => (told = values));
  for (let version = 1; version < 2000; version += 1) {
    const id = `urn:${Math.floor(random() * 20)}`;
    const change = collection.apply(message(random() < 0.3 ? 'entityDeleted' : 'entityUpdated', id, version, { data: { v: Math.floor(random() * 10) } }));
    const before = [...view.values];
    const held = view.values;
    if (change) view.take(change);
    assert.deepEqual([...held], before, 'a snapshot never changes');
    const all = [...collection.held.values()].map(({ entity }) => entity).filter(options.filter);
    const expected = all.sort((a, b) => options.sort(a, b) || (a.id < b.id ? -1 : 1)).slice(0, 5);
    assert.deepEqual(view.values, expected);
    assert.equal(told, view.values);
  }
});

test('a view keeps its order when its filter depends on more than the entities', () => {
  let passing = true;
  const collection = new Collection(always, whole);
  const view = new EntityView([], { filter: () => passing }, () => {});
  const apply = (...parameters: Parameters<typeof message>) => view.take(collection.apply(message(...parameters))!);
  apply('entityUpdated', 'a', 1);
  passing = false;
  apply('entityDeleted', 'a', 2);
  assert.deepEqual(view.values, []);
});

test('a view that is made during the delivery of changes has each entity once', () => {
  const collection = new Collection(always, whole);
  const changes = ['a', 'b'].map((id) => collection.apply(message('entityUpdated', id, 1))!);
  const view = new EntityView([...collection.held.values()].map(({ entity }) => entity), {}, () => {});
  for (const change of changes) view.take(change);
  assert.deepEqual(view.values.map(({ id }) => id), ['a', 'b']);
});

test('a collection does not remember what was removed after its snapshot, or after it has resumed', () => {
  const collection = new Collection(always, loads);
  const load = () => collection.load([{ id: 'a', type: 'Room', tenant: 'demo', servicePath: '/', data: {}, version: undefined, timestamp: '', partial: false }]);
  for (const settle of [() => collection.complete(), () => collection.recovered()]) {
    collection.begin();
    collection.apply(message('entityDeleted', 'a'));
    assert.deepEqual(load(), [], 'while a load is awaited');
    collection.begin();
    settle();
    collection.apply(message('entityDeleted', 'a'));
    assert.deepEqual(kinds(load()), ['added a']);
    collection.apply(message('entityDeleted', 'a'));
  }
});
