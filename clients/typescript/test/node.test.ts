import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntityStream, type EntityStreamOptions } from '@entity-stream/client';
import { WebSocket } from 'ws';
import { nodeAlone, nodeWithWs } from './harness/environment.js';
import { Local } from './harness/local.js';
import { scenarios } from './scenarios.js';
import { SECRET } from './harness/tokens.js';

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
  await stream.subscribe();
  const loops = [1, 2].map(async () => {
    const entities: string[] = [];
    for await (const { entityId } of stream) {
      entities.push(entityId);
      if (entities.length === 2) void stream.close();
    }
    return entities;
  });
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:1' }]);
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:2' }]);
  for (const entities of await Promise.all(loops)) assert.deepEqual(entities.sort(), ['urn:1', 'urn:2']);
  for await (const event of stream) assert.fail(`a closed stream has no ${event.id}`);
});

check('a loop throws the error of a failed stream', { AUTH_ENABLED: 'true', JWT_SECRET: SECRET }, async (open) => {
  const stream = open();
  const events = stream.events();
  const subscribed = stream.subscribe();
  await assert.rejects(events.next(), { name: 'AuthenticationError', code: 'refused', message: /a token is required/ });
  await assert.rejects(subscribed, { code: 'refused' });
  assert.equal(stream.state, 'failed');
});

test('Node.js: a stream that fails without listeners writes its error to the console', { timeout: 60_000 }, async (context) => {
  const local = await Local.start([], { AUTH_ENABLED: 'true', JWT_SECRET: SECRET });
  context.after(() => local.kill());
  const said = context.mock.method(console, 'error', () => {});
  const stream = new EntityStream({ url: local.url, tenant: 'demo', WebSocket });
  await assert.rejects(stream.subscribe(), { code: 'refused' });
  assert.equal(said.mock.callCount(), 1);
  await stream.close();
});

check('integers beyond 2^53 keep their digits with another `parse`', {}, async (open, local) => {
  const stream = open({ parse: (text) => ({ ...(JSON.parse(text) as object), text }) });
  const events = stream.events();
  await stream.subscribe();
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
    await stream.subscribe();
  }
  const changes = Array.from({ length: 40 }, (_, number) => ({ entityType: 'Room', entityId: `urn:${number}` }));
  for (let start = 0; start < 40; start += 10) await local.publish('demo', changes.slice(start, start + 10));
  await all;
  assert.deepEqual(new Set(got.flat()), new Set(changes.map(({ entityId }) => entityId)));
  // All forty events go to the same member with a probability of one in 10^11.
  assert(got.every((entities) => entities.length > 0));
});
