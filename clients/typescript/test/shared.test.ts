import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { EntityStreamProvider, useConnectionState, useEntities, useEntityStream } from '@entity-stream/client/react';
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
  let isTold = false;
  shared.listen(() => (isTold = true));
  const before = shared.attemptsOfEvents(filter);
  const second = shared.subscription(filter)!;
  // The first component subscribes again with this number, as `retry` makes it do.
  assert.deepEqual([shared.attemptsOfEvents(filter) - before, isTold], [1, true]);
  assert.equal(shared.attemptsOfEntities(filter, false), 0);
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
  assert.deepEqual([shared.end?.code, shared.snapshot({}, false).error?.code, shared.state.state], ['closed', 'closed', 'closed']);
  leave();
});

test('React: a page is rendered on a server, without a WebSocket', async () => {
  const { WebSocket: platform } = globalThis;
  Object.assign(globalThis, { WebSocket: undefined });
  try {
    const html = renderToString(
      createElement(EntityStreamProvider, { url: 'ws://localhost:3000', tenant: 'demo' }, createElement(() => {
        const { entities, isComplete } = useEntities({ entityTypes: ['Room'] });
        const { events } = useEntityStream();
        return `${useConnectionState().state} ${entities.length} ${events.length} ${isComplete}`;
      })),
    );
    assert.equal(html, 'idle 0 0 false');
  } finally {
    Object.assign(globalThis, { WebSocket: platform });
  }
  assert.throws(() => renderToString(createElement(() => String(useConnectionState().state))), /needs an <EntityStreamProvider>/);
});
