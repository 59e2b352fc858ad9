import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DebugEntry, EntityStream, type EntityStreamOptions, type LoadedEntity, dpopThumbprint, generateDpopKey } from '@entity-stream/client';
import { WebSocket } from 'ws';
import { nodeAlone, nodeWithWs } from './harness/environment.js';
import { Local, until } from './harness/local.js';
import { scenarios } from './scenarios/all.js';
import { SECRET, mint } from './harness/tokens.js';

assert(globalThis.WebSocket, 'Node.js 20 has a WebSocket with --experimental-websocket; `npm test` sets this flag');

scenarios(nodeAlone);
scenarios(nodeWithWs);

const check = (what: string, variables: Record<string, string>, body: (open: (options?: Partial<EntityStreamOptions>) => EntityStream, local: Local) => Promise<void>) =>
  test(`Node.js: ${what}`, { timeout: 60_000 }, async (context) => {
    const local = await Local.start([], variables);
    const streams: EntityStream[] = [];
    context.after(async () => {
      await Promise.all(streams.map((stream) => stream.close()));
      await local.kill();
    });
    const open = (options: Partial<EntityStreamOptions> = {}) => {
      const stream = new EntityStream({ url: local.url, tenant: 'demo', WebSocket, ...options });
      streams.push(stream);
      return stream;
    };
    await body(open, local);
  });

check('each loop gets all events and ends with the stream', {}, async (open, local) => {
  const stream = open();
  const subscription = stream.subscribe();
  await subscription.ready;
  const loops = [1, 2].map(async () => {
    const entities: string[] = [];
    for await (const { entityId } of subscription) {
      entities.push(entityId);
      if (entities.length === 2) void stream.close();
    }
    return entities;
  });
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:1' }]);
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:2' }]);
  for (const entities of await Promise.all(loops)) assert.deepEqual(entities.sort(), ['urn:1', 'urn:2']);
  for await (const event of subscription) assert.fail(`a closed stream has no ${event.id}`);
});

check('a loop throws the error of a failed stream', { AUTH_ENABLED: 'true', JWT_SECRET: SECRET }, async (open) => {
  const stream = open();
  const subscription = stream.subscribe();
  const events = subscription.events();
  await assert.rejects(events.next(), { name: 'AuthenticationError', code: 'refused', message: /a token is required/ });
  await assert.rejects(subscription.ready, { code: 'refused' });
  assert.deepEqual([subscription.state, stream.state], ['failed', 'failed']);
});

test('Node.js: a subscription that fails without listeners writes its error to the console', { timeout: 60_000 }, async (context) => {
  const local = await Local.start([], { AUTH_ENABLED: 'true', JWT_SECRET: SECRET });
  context.after(() => local.kill());
  const said = context.mock.method(console, 'error', () => {});
  const stream = new EntityStream({ url: local.url, tenant: 'demo', WebSocket });
  const subscription = stream.subscribe();
  while (subscription.state === 'pending') await new Promise((resolve) => subscription.once('state', resolve));
  assert.equal(subscription.state, 'failed');
  assert.equal(said.mock.callCount(), 1);
  await stream.close();
});

check('integers beyond 2^53 keep their digits with another `parse`', {}, async (open, local) => {
  const stream = open({ parse: (text) => ({ ...(JSON.parse(text) as object), text }) });
  const subscription = stream.subscribe();
  const events = subscription.events();
  await subscription.ready;
  await local.publishRaw('demo', '{"serial":12345678901234567890,"ratio":1.0}');
  const { value } = await events.next();
  assert.match((value as unknown as { text: string }).text, /"data":\{"serial":12345678901234567890,"ratio":1\.0\}/);
});

check('the members of a group share the events', {}, async (open, local) => {
  const got: string[][] = [[], []];
  let enough = () => {};
  const all = new Promise<void>((resolve) => (enough = resolve));
  for (const entities of got) {
    const stream = open({ groupId: 'workers' });
    stream.on('event', ({ entityId }) => {
      entities.push(entityId);
      if (got.flat().length === 40) enough();
    });
    await stream.subscribe().ready;
  }
  const changes = Array.from({ length: 40 }, (_, number) => ({ entityType: 'Room', entityId: `urn:${number}` }));
  for (let start = 0; start < 40; start += 10) await local.publish('demo', changes.slice(start, start + 10));
  await all;
  assert.deepEqual(new Set(got.flat()), new Set(changes.map(({ entityId }) => entityId)));
  // All forty events go to the same member with a probability of one in 10^11.
  assert(got.every((entities) => entities.length > 0));
});

check('subscriptions share a connection, and each gets what it matches in its view', {}, async (open, local) => {
  const sent: DebugEntry[] = [];
  const stream = open({ debug: (entry) => sent.push(entry) });
  const hot = stream.subscribe<{ temperature: number }>({ q: 'temperature>25', representation: 'keyValues' }, { name: 'hot' });
  const rooms = stream.subscribe({ entityTypes: ['Room'] });
  const got = { hot: [] as unknown[], rooms: [] as unknown[], stream: [] as string[] };
  hot.on('event', ({ data }) => got.hot.push(data?.temperature));
  rooms.on('event', ({ entityId }) => got.rooms.push(entityId));
  stream.on('event', ({ subscriptions }) => got.stream.push(String(subscriptions)));
  assert.deepEqual(await hot.ready, { q: 'temperature>25', representation: 'keyValues' });
  await rooms.ready;
  // Both were sent in one message.
  assert.equal(sent.filter(({ what }) => what === 'subscribe').length, 1);
  const room = (temperature: number) => ({ entityType: 'Room', entityId: 'urn:1', data: { temperature: { type: 'Number', value: temperature } } });
  await local.publish('demo', [room(30)]);
  await until('both views', () => got.hot.length + got.rooms.length === 2);
  assert.deepEqual(got, { hot: [30], rooms: ['urn:1'], stream: got.stream });
  assert.deepEqual([...got.stream].sort(), ['hot', 's1']);
  await local.publish('demo', [room(20)]);
  await until('the entity to leave', () => got.hot.length === 2 && got.rooms.length === 2);
  assert.deepEqual(got.hot, [30, undefined]);
  assert.throws(() => stream.subscribe({}, { name: 'hot' }), /a subscription with the name `hot` already/);
  assert.throws(() => stream.subscribe({}, { snapshots: true } as object), /did you mean `snapshot`/);
  await hot.close();
  assert.equal(hot.state, 'closed');
  assert.equal(await local.connections(), 1);
  await rooms.close();
  await until('the connection to be idle', async () => stream.state === 'idle' && (await local.connections()) === 0);
});

check('a seventeenth subscription is refused, and the others stay', {}, async (open, local) => {
  const stream = open();
  const subscriptions = Array.from({ length: 16 }, (_, number) => stream.subscribe({ entityTypes: [`Type${number}`] }));
  const more = stream.subscribe({ entityTypes: ['More'] });
  await assert.rejects(more.ready, { name: 'RequestError', code: 'limit_exceeded', message: /at most 16/ });
  await Promise.all(subscriptions.map(({ ready }) => ready));
  // The server exchanges the filter under the same name, because there is no place for another one.
  assert.deepEqual(await subscriptions[0]!.update({ entityTypes: ['More'] }), { entityTypes: ['More'] });
  const event = new Promise<string>((resolve) => void subscriptions[0]!.once('event', ({ entityId }) => resolve(entityId)));
  await local.publish('demo', [{ entityType: 'More', entityId: 'urn:more' }]);
  assert.equal(await event, 'urn:more');
  await subscriptions[1]!.close();
  await stream.subscribe({ entityTypes: ['Last'] }).ready;
  assert.equal(await local.connections(), 1);
});

check('a program continues after a restart of its own', {}, async (open, local) => {
  const stream = open();
  const subscription = stream.subscribe({ entityTypes: ['Room'] });
  await subscription.ready;
  const { bookmark } = stream;
  assert(bookmark);
  await stream.close();
  const ids = await local.publish('demo', [1, 2].map((number) => ({ entityType: 'Room', entityId: `urn:${number}` })));
  const next = open();
  const resumed = next.subscribe({ entityTypes: ['Room'] }, { since: bookmark });
  const plain = next.subscribe({ entityTypes: ['Room', 'Other'] });
  const got: string[] = [];
  resumed.on('event', ({ id }) => got.push(id));
  plain.on('event', ({ id, replayed }) => assert(!replayed, `${id} is from before the subscription`));
  await new Promise((resolve) => void resumed.once('recovered', resolve));
  await plain.ready;
  // A change that was published a moment ago may come as a new event.
  await until('both changes', () => got.length === 2);
  assert.deepEqual(got.sort(), [...ids].sort());
});

check('a signal closes a subscription, and so does `await using`', {}, async (open, local) => {
  const stream = open();
  const controller = new AbortController();
  const aborted = stream.subscribe({}, { signal: controller.signal });
  await aborted.ready;
  const loop = (async () => {
    for await (const _ of aborted);
  })();
  controller.abort();
  await loop;
  assert.equal(aborted.state, 'closed');
  const early = stream.subscribe({}, { signal: controller.signal });
  await assert.rejects(early.ready, { code: 'closed' });
  const collection = stream.entities();
  await collection.ready;
  await collection[Symbol.asyncDispose]();
  await stream[Symbol.asyncDispose]();
  await until('no connection', async () => (await local.connections()) === 0);
});

check('a token that is bound to a key is proved in the handshake and in band', { AUTH_ENABLED: 'true', JWT_SECRET: SECRET, AUTH_IN_BAND: 'true' }, async (open, local) => {
  const keyPair = await generateDpopKey();
  const jkt = await dpopThumbprint(keyPair);
  const getToken = () => mint('demo', 600, SECRET, { cnf: { jkt } });
  for (const authenticate of ['handshake', 'first-message'] as const) {
    const stream = open({ getToken, dpop: { keyPair }, authenticate });
    const subscription = stream.subscribe();
    await subscription.ready;
    const event = new Promise<string>((resolve) => void subscription.once('event', ({ id }) => resolve(id)));
    const [id] = await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:1' }]);
    assert.equal(await event, id);
    await stream.close();
  }
  const other = open({ getToken, dpop: { keyPair: await generateDpopKey() } });
  await assert.rejects(other.subscribe().ready, { code: 'refused', message: /another key than that of the token/ });
  // A token without a key needs no proof.
  const plain = open({ getToken: () => mint('demo', 600), dpop: { keyPair } });
  await plain.subscribe().ready;
});

check('a bound token is renewed with another proof', { AUTH_ENABLED: 'true', JWT_SECRET: SECRET }, async (open, local) => {
  const keyPair = await generateDpopKey();
  const jkt = await dpopThumbprint(keyPair);
  const sent: string[] = [];
  const debug = ({ kind, what }: DebugEntry) => void (kind === 'received' && sent.push(what));
  const stream = open({ getToken: () => mint('demo', 3, SECRET, { cnf: { jkt } }), dpop: { keyPair }, debug });
  await stream.subscribe().ready;
  await until('a renewal', () => sent.includes('authenticated'));
  assert.equal(sent[0], 'dpop_verified');
  assert.equal(await local.connections(), 1);
});

check('a collection is seeded from a broker without a gap', {}, async (open, local) => {
  const stream = open();
  let answer = (_: LoadedEntity[]) => {};
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const load = () => {
    asked();
    return new Promise<LoadedEntity[]>((resolve) => (answer = resolve));
  };
  const rooms = stream.entities({ entityTypes: ['Room'], representation: 'keyValues' }, { load });
  const coldest = rooms.view({ sort: (a, b) => Number(a.data['t']) - Number(b.data['t']), limit: 2 });
  const changes: string[] = [];
  rooms.onChange(({ kind, before, after }) => changes.push(`${kind} ${(after ?? before)!.id}`));
  const kinds: string[] = [];
  stream.on('event', ({ type }) => kinds.push(type));
  await isAsked;
  // The broker reads its entities, then two of them change, and then the answer arrives.
  const room = (id: string, t: number) => ({ entityType: 'Room', entityId: id, data: { t } });
  await local.publish('demo', [room('urn:changed', 5), { ...room('urn:deleted', 0), type: 'entityDeleted' }]);
  await until('the change', () => rooms.has('urn:changed'));
  assert.equal(rooms.isComplete, false);
  await until('the deletion', () => kinds.includes('entityDeleted'));
  answer([['urn:changed', 1], ['urn:deleted', 1], ['urn:same', 3], ['urn:other', 9]].map(([id, t]) => ({ id: String(id), type: 'Room', t, h: 1 })));
  await rooms.ready;
  assert.deepEqual([...rooms].map(([id, { data }]) => [id, data['t']]).sort(), [['urn:changed', 5], ['urn:other', 9], ['urn:same', 3]]);
  // The service has not seen its creation, and so does not know the attribute `h`.
  assert.deepEqual([rooms.get('urn:changed')?.data, rooms.get('urn:changed')?.partial], [{ t: 5, h: 1 }, false]);
  assert.deepEqual(changes, ['added urn:changed', 'updated urn:changed', 'added urn:same', 'added urn:other']);
  assert.deepEqual(coldest.values.map(({ id }) => id), ['urn:same', 'urn:changed']);
});

check('a collection follows a service without entity state', { ENTITY_STATE: 'false' }, async (open, local) => {
  const load = () => [{ id: 'urn:a', type: 'Room', t: 1, h: 1 }];
  const filter = { entityTypes: ['Room'], representation: 'keyValues' } as const;
  const refused = await open().entities(filter, { load }).ready.then(() => '', ({ code }: { code: string }) => code);
  assert.equal(refused, 'not_available');
  const rooms = open().entities(filter, { load, wholeEntity: false });
  await rooms.ready;
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:a', data: { t: 2 } }]);
  await until('the change', () => rooms.get('urn:a')?.data['t'] === 2);
  assert.deepEqual(rooms.get('urn:a')?.data, { t: 2, h: 1 });
  await rooms.update({ ...filter, entityTypes: ['Hall'] }, { load: () => [] });
  assert.equal(rooms.size, 0);
});
