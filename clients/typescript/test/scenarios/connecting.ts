import assert from 'node:assert/strict';
import { type Change, until } from '../harness/local.js';
import { type Scenarios, room } from './platform.js';

/** Subscriptions, and connections that fail. */
export function connecting({ environment, check }: Scenarios): void {
  check('a subscription is in force once it is acknowledged', async (use) => {
    const local = await use.local();
    const probe = await environment.open({ url: local.url, tenant: 'Demo' });
    // The filter that is in force when the audience is read decides about an event. The audience is read a moment after the
    // event is published. Once the witness has the event, this moment has passed.
    const witness = await environment.open({ url: local.url, tenant: 'demo' });
    await witness.subscribe({ entityTypes: ['Room', 'Printer'] });
    const publish = async (...changes: Change[]) => {
      const ids = await local.publish('demo', changes);
      for (const id of ids) await witness.untilEvent(id);
      return ids;
    };
    const printer = (number: number, data = {}) => ({ entityType: 'Printer', entityId: `urn:ngsi-ld:Printer:${number}`, data });

    assert.deepEqual(await probe.subscribe({ entityTypes: ['Room'], idPattern: ':1$' }), { entityTypes: ['Room'], idPattern: ':1$' });
    const [first] = await publish(room(1), room(2), printer(1));
    await probe.untilEvents(1);

    // The filter is replaced on the same connection, and events of the old filter no longer arrive.
    assert.deepEqual(await probe.subscribe({ entityTypes: ['Printer'] }), { entityTypes: ['Printer'] });
    const [, second] = await publish(room(1), printer(2, { ink: 0.5 }));
    await probe.untilEvents(2);
    const events = await probe.events();
    assert.deepEqual(events.map(({ id }) => id), [first, second]);
    assert.deepEqual(events[1], {
      type: 'entityUpdated',
      id: second,
      tenant: 'demo',
      servicePath: '/',
      entityId: 'urn:ngsi-ld:Printer:2',
      entityType: 'Printer',
      data: { ink: 0.5 },
      timestamp: events[1]!.timestamp,
      subscriptions: events[1]!.subscriptions,
      position: events[1]!.position,
      version: events[1]!.version,
    });
    assert.match(events[1]!.position ?? '', /^[0-9a-f]{28}$/);

    await probe.unsubscribe();
    await publish(room(1), printer(1));
    assert.deepEqual(await probe.subscribe(), {});
    const [last] = await publish(room(3));
    await probe.untilEvents(3);
    assert.equal((await probe.events())[2]!.id, last);
    assert.equal((await probe.sockets()).length, 1);
    await Promise.all([probe.close(), witness.close()]);
    await until('the connections to be forgotten', async () => (await local.connections()) === 0);
    assert.deepEqual((await probe.states()).map(({ state }) => state), ['connecting', 'connected', 'closed']);
    assert.equal(((await probe.subscribe()) as { code?: string }).code, 'closed');
  });

  check('a filter that the server refuses changes nothing', async (use) => {
    const local = await use.local();
    const probe = await environment.open({ url: local.url, tenant: 'demo' });
    const refusal = await probe.subscribe({ idPattern: '(' });
    assert('code' in refusal && refusal.name === 'RequestError' && refusal.code === 'invalid_id_pattern', JSON.stringify(refusal));
    // Without a subscription, the stream needs no connection.
    await probe.untilState('idle');
    await until('the connection to be forgotten', async () => (await local.connections()) === 0);

    await probe.subscribe({ entityTypes: ['Room'] });
    const tooMany = await probe.subscribe({ entityTypes: Array.from({ length: 50 }, (_, number) => `Type${number}`) });
    assert('code' in tooMany && tooMany.code === 'invalid_entity_types', JSON.stringify(tooMany));
    const [, expected] = await local.publish('demo', [{ entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:1' }, room(1)]);
    await probe.untilEvents(1);
    assert.deepEqual((await probe.events()).map(({ id }) => id), [expected]);
    await probe.close();
  });

  check('a client survives a restart of the server and keeps its filter', async (use) => {
    const local = await use.local();
    const probe = await environment.open({ url: local.url, tenant: 'demo', backoffMaxMs: 1000 });
    await probe.subscribe({ entityTypes: ['Room'], idPattern: '^urn:ngsi-ld:' });
    await local.stop();
    const lost = await probe.untilState('waiting');
    assert.equal(lost.error?.code, 'connection_lost');
    // The stream has retried in vain.
    const failed = await probe.untilState('waiting', 3);
    assert.equal(failed.error?.code, 'connect_failed');
    assert(failed.retryInMs !== undefined && failed.retryInMs <= 1000);
    await local.run();
    const back = await probe.untilState('connected', 2);
    // The server has another history.
    assert(back.missed, 'the state has missedSince');
    assert('reason' in (await probe.untilVerdicts(1)));
    const [, expected] = await local.publish('demo', [{ entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:1' }, room(1)]);
    await probe.untilEvents(1);
    assert.deepEqual((await probe.events()).map(({ id }) => id), [expected]);
    await probe.close();
  });

  check('a client survives a server that is killed', async (use) => {
    const local = await use.local();
    const probe = await environment.open({ url: local.url, tenant: 'demo', backoffMaxMs: 500 });
    await probe.subscribe();
    await local.kill();
    assert.equal((await probe.untilState('waiting')).error?.code, 'connection_lost');
    await local.run();
    await probe.untilState('connected', 2);
    await probe.close();
  });

  check('a stream without a subscription does not wait for a connection', async (use) => {
    const local = await use.local();
    const backoff = { backoffMinMs: 36_000_000, backoffMaxMs: 36_000_000 };
    const probe = await environment.open({ url: local.url, tenant: 'demo', ...backoff });
    await probe.subscribe();
    await local.stop();
    await probe.untilState('waiting');
    await probe.unsubscribe();
    await probe.untilState('idle');
    await local.run();
    assert.deepEqual(await probe.subscribe({ entityTypes: ['a b', 'c+d'] }), { entityTypes: ['a b', 'c+d'] });
    await probe.unsubscribe();
    await probe.close();
  });

  check('a client that closes while it connects leaves no connection behind', async (use) => {
    const local = await use.local();
    const probes = await Promise.all(Array.from({ length: 4 }, () => environment.open({ url: local.url, tenant: 'demo' })));
    // The server cannot answer the handshake before the client closes.
    local.freeze(true);
    for (const probe of probes) {
      const subscribed = probe.subscribe();
      await probe.untilSockets(1);
      await probe.close();
      const refusal = await subscribed;
      assert('code' in refusal && refusal.code === 'closed', JSON.stringify(refusal));
    }
    local.freeze(false);
    // The server takes the handshakes in the order of their arrival, so it has seen the others once this one is answered.
    const witness = await environment.open({ url: local.url, tenant: 'demo' });
    await witness.subscribe();
    await witness.close();
    await until('all connections to be forgotten', async () => (await local.connections()) === 0);
  });

  check('a client notices a server that no longer answers', async (use) => {
    const local = await use.local();
    const options = { pingIntervalMs: 200, pongTimeoutMs: 2000, connectTimeoutMs: 2000, backoffMaxMs: 500 };
    const probe = await environment.open({ url: local.url, tenant: 'demo', ...options });
    await probe.subscribe();
    local.freeze(true);
    assert.match((await probe.untilState('waiting')).error?.message ?? '', /no answer to ping/);
    local.freeze(false);
    await probe.untilState('connected', 2);
    await probe.close();
  });
}
