import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { EntityStreamProvider, useEntities, useEntityStream } from '@entity-stream/client/react';
import { generateDpopKey } from '../src/dpop.js';
import { connectionKey } from '../src/key.js';
import type { LoadedEntity } from '../src/live.js';
import type { EntityStreamOptions } from '../src/options.js';
import { Scripted, eventually } from './harness/scripted.js';

const refused = (what: () => unknown, expected: RegExp) => assert.throws(what, (error: Error) => error instanceof TypeError && expected.test(error.message), `${expected}`);

test('options of a stream, a loop and a view that do not exist, or have another type, are refused', async () => {
  const server = new Scripted();
  const open = (options: object) => server.stream(options as EntityStreamOptions);
  for (const name of ['getToken', 'debug', 'parse']) refused(() => open({ [name]: 'x' }), new RegExp(`${name} has to be a function; found a string`));
  refused(() => open({ groupId: 7 }), /groupId has to be a string/);
  refused(() => open({ dpop: { keypair: 1 } }), /dpop has no `keypair`; did you mean `keyPair`/);
  refused(() => open({ drainMs: '1' }), /drainMs has to be a number of at least 0; found a string/);

  await using stream = server.stream();
  const [subscription, entities] = [stream.subscribe(), stream.entities()];
  refused(() => subscription.events({ capacty: 5 } as object), /a loop has no `capacty`; did you mean `capacity`/);
  refused(() => subscription.events({ name: 'x' } as object), /a loop has no `name`/);
  refused(() => subscription.events({ capacity: '5' } as object), /capacity has to be a number of at least 1/);
  refused(() => entities.view({ sortBy: 'x' } as object), /a view has no `sortBy`/);
  refused(() => entities.view({ sort: 'x' } as object), /sort has to be a function/);
  refused(() => entities.view({ limit: -1 }), /limit has to be a number of at least 0; found -1/);
  for (const none of [null, 5, ['Room'], 'Room']) {
    refused(() => stream.subscribe(none as object), /a filter takes an object/);
    refused(() => stream.subscribe({}, none as object), /a subscription takes an object/);
  }
});

test('React: options and fields that do not exist are refused in the render', () => {
  const render = (component: () => string, props: object = {}) =>
    renderToString(createElement(EntityStreamProvider, { url: 'ws://localhost:3000', tenant: 'demo', ...props } as EntityStreamOptions, createElement(component)));
  const entities = (filter: object, options: object = {}) => () => String(useEntities(filter, options).isComplete);
  const events = (filter: object, options: object = {}) => () => String(useEntityStream(filter, options).isReady);
  assert.equal(render(entities({}, { sort: () => 0, limit: 1, enabled: true })), 'false');
  refused(() => render(entities({}, { sorted: () => 0 })), /useEntities has no `sorted`; did you mean `sort`/);
  refused(() => render(entities({}, { load: [] })), /load has to be a function; found an array/);
  refused(() => render(entities({ entityType: ['Room'] })), /did you mean `entityTypes`/);
  refused(() => render(entities({ watchedAttributes: ['x'] })), /the filter of entities has no/);
  refused(() => render(events({}, { onevents: () => {} })), /useEntityStream has no `onevents`; did you mean `onEvent`/);
  refused(() => render(events({}, { limit: 'x' })), /limit has to be a number/);
  refused(() => render(events({ entityType: ['Room'] })), /did you mean `entityTypes`/);
  refused(() => render(() => '', { tenants: 'demo' }), /did you mean `tenant`/);
});

test('a loaded entity without an id or a type is an error of the load, and is read again', async () => {
  const server = new Scripted();
  await using stream = server.stream();
  const wrong = [{ type: 'Room', secret: 'value' }, { id: '', type: 'Room' }, { id: 7, type: 'Room' }, { id: 'urn:a' }, { id: 'urn:a', type: [] }, null];
  for (const entity of wrong) {
    const rooms = stream.entities({}, { load: () => [entity] as LoadedEntity[] });
    const errors: { code: string; message: string }[] = [];
    rooms.on('error', (error) => errors.push(error));
    await eventually('the error', () => errors.length === 1);
    assert.match(`${errors[0]!.code} ${errors[0]!.message}`, /^load_failed load failed: an entity has no `(id|type)`$/);
    assert.deepEqual([rooms.size, rooms.isComplete], [0, false]);
    await rooms.close();
  }
});

test('React: another key for DPoP is another connection', async () => {
  const options = (more: object = {}): EntityStreamOptions => ({ url: 'ws://localhost:3000', tenant: 'demo', ...more });
  const [one, other] = [await generateDpopKey(), await generateDpopKey()];
  const key = connectionKey(options({ dpop: { keyPair: one } }));
  assert.equal(connectionKey({ dpop: { keyPair: { ...one, privateKey: one.privateKey, publicKey: one.publicKey } }, ...options() }), key);
  assert.notEqual(connectionKey(options({ dpop: { keyPair: other } })), key);
  assert.notEqual(connectionKey(options()), key);
  // The functions of the latest render are used, so another one is no other connection.
  assert.equal(connectionKey(options({ getToken: () => 'a' })), connectionKey(options({ getToken: () => 'b', debug: undefined })));
});
