import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Environment } from './harness/environment.js';
import { type Change, Local, until } from './harness/local.js';
import type { Probe } from './harness/probe.js';
import { SECRET, mint } from './harness/tokens.js';

const AUTH = { AUTH_ENABLED: 'true', JWT_SECRET: SECRET };
/** A hundred new entities a second are a load for a debug build on a slow machine, and these scenarios are not about their states. */
const WITHOUT_STATES = { ENTITY_STATE: 'false' };
const room = (number: number) => ({ entityType: 'Room', entityId: `urn:ngsi-ld:Room:${number}` });

/** The required behaviour of a client on every platform. */
export function scenarios(surroundings: Environment): void {
  const opened: Probe[] = [];
  const environment = {
    name: surroundings.name,
    tellsStatus: surroundings.tellsStatus,
    open: async (...how: Parameters<Environment['open']>) => {
      const probe = await surroundings.open(...how);
      opened.push(probe);
      return probe;
    },
  };
  const check = (what: string, body: (use: { local(flags?: string[], variables?: Record<string, string>): Promise<Local> }) => Promise<void>) =>
    test(`${environment.name}: ${what}`, { timeout: 120_000 }, async (context) => {
      const started: Local[] = [];
      context.after(async () => {
        // An open stream of a failed check would reconnect for ever and keep the process alive.
        await Promise.all(opened.splice(0).map((probe) => probe.close()));
        await Promise.all(started.map((local) => local.kill()));
      });
      await body({
        local: async (flags, variables) => {
          const local = await Local.start(flags, variables);
          started.push(local);
          return local;
        },
      });
    });
  after(() => surroundings.end());

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

  check('a refused token is not sent again', async (use) => {
    const local = await use.local([], AUTH);
    for (const [bad, message] of [[mint('demo', 600, 'another secret, of no server'), /1008/], [mint('other', 600), /1008/]] as const) {
      let asked = 0;
      let token = bad;
      const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true }, () => ((asked += 1), token));
      const refusal = await probe.subscribe();
      assert('code' in refusal && refusal.name === 'AuthenticationError' && refusal.code === 'refused', JSON.stringify(refusal));
      assert.match(refusal.message, message);
      assert.equal((await probe.untilState('failed')).error?.code, 'refused');
      // The client called getToken once more. The token was the same, so it was not sent again.
      assert.equal(asked, 2);
      assert.equal((await probe.sockets()).length, 1);

      token = mint('demo', 600);
      assert.deepEqual(await probe.subscribe(), {}, 'the stream continues with a valid token');
      await probe.close();
      const said = JSON.stringify([await probe.errors(), await probe.states(), await probe.sockets(), local.output]);
      for (const secret of [bad, token]) assert(!said.includes(secret), 'an error, a URL or a log contains a token');
    }
  });

  check('one refused token is tolerated', async (use) => {
    const local = await use.local([], AUTH);
    const tokens = [mint('demo', 600, 'another secret, of no server'), mint('demo', 600)];
    const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true }, () => tokens.shift()!);
    assert.deepEqual(await probe.subscribe(), {});
    assert.equal((await probe.sockets()).length, 2);
    await probe.close();
  });

  check('a handshake that is refused with a status, as API Gateway does', async (use) => {
    const local = await use.local(['--refuse-with', 'status'], AUTH);
    let token = mint('demo', 600, 'another secret, of no server');
    const options = { url: local.url, tenant: 'demo', withToken: true, backoffMaxMs: 500 };
    const probe = await environment.open(options, () => token);
    const subscribed = probe.subscribe();
    if (environment.tellsStatus) {
      const refusal = await subscribed;
      assert('code' in refusal && refusal.code === 'refused' && refusal.status === 401, JSON.stringify(refusal));
      token = mint('other', 600);
      const forbidden = await probe.subscribe();
      assert('code' in forbidden && forbidden.status === 403, JSON.stringify(forbidden));
      token = mint('demo', 600);
      assert.deepEqual(await probe.subscribe(), {});
    } else {
      // A browser gets no reason, so the failure may be the network. The client retries and calls getToken each time.
      assert.equal((await probe.untilState('waiting', 3)).error?.code, 'connect_failed');
      token = mint('demo', 600);
      assert.deepEqual(await subscribed, {});
    }
    await probe.close();
  });

  check('with `first-message`, every platform gets the reason of a refusal', async (use) => {
    const local = await use.local(['--refuse-with', 'status'], { ...AUTH, AUTH_IN_BAND: 'true' });
    let token = mint('demo', 600, 'another secret, of no server');
    const options = { url: local.url, tenant: 'demo', withToken: true, authenticate: 'first-message' } as const;
    const probe = await environment.open(options, () => token);
    const refusal = await probe.subscribe({ entityTypes: ['Room'] });
    assert('code' in refusal && refusal.name === 'AuthenticationError', JSON.stringify(refusal));
    token = mint('demo', 600);
    assert.deepEqual(await probe.subscribe({ entityTypes: ['Room'] }), { entityTypes: ['Room'] });
    const [expected] = await local.publish('demo', [room(1)]);
    await probe.untilEvents(1);
    assert.deepEqual((await probe.events()).map(({ id }) => id), [expected]);
    await probe.close();
  });

  check('a token is renewed before its end on the same connection', async (use) => {
    const local = await use.local([], AUTH);
    let asked = 0;
    let fourth = () => {};
    const enough = new Promise<void>((resolve) => (fourth = resolve));
    const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true, renewBeforeMs: 2000 }, () => {
      asked += 1;
      if (asked === 4) fourth();
      return mint('demo', 4);
    });
    await probe.subscribe();
    const first = Date.now();
    await enough;
    // Each token was fetched half a life after the previous one, so the first token has expired.
    assert(Date.now() - first > 4000);
    const [expected] = await local.publish('demo', [room(1)]);
    await probe.untilEvents(1);
    assert.deepEqual((await probe.events()).map(({ id }) => id), [expected]);
    assert.equal((await probe.sockets()).length, 1);
    assert.deepEqual((await probe.states()).map(({ state }) => state), ['connecting', 'connected']);
    await probe.close();
  });

  check('a token without a renewal ends the connection, and the next connection has a fresh token', async (use) => {
    const local = await use.local([], AUTH);
    const tokens = [mint('demo', 3)];
    const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true, backoffMaxMs: 500 }, () => {
      const token = tokens.shift();
      if (token === undefined) throw new Error('the login is out of order');
      return token;
    });
    await probe.subscribe();
    assert.equal((await probe.untilState('waiting')).error?.code, 'token_expired');
    assert.match((await probe.untilError('token_unavailable')).message, /the login is out of order/);
    tokens.push(mint('demo', 600));
    await probe.untilState('connected', 2);
    assert.deepEqual(await probe.untilVerdicts(1), { replayed: 0 });
    const [expected] = await local.publish('demo', [room(1)]);
    await probe.untilEvents(1);
    assert.equal((await probe.events())[0]!.id, expected);
    await probe.close();
  });

  /** The next attempt is hours away, except for a chance of one in thousands, so that the test decides when it is. */
  const ON_DEMAND = { backoffMinMs: 36_000_000, backoffMaxMs: 36_000_000 };

  check('a client that was cut off gets what it missed, for each of its subscriptions', async (use) => {
    const local = await use.local(['--max-duration', '2s']);
    const probe = await environment.open({ url: local.url, tenant: 'demo', ...ON_DEMAND });
    await probe.subscribe({ entityTypes: ['Room'] });
    assert.deepEqual(await probe.also('both', { entityTypes: ['Room', 'Printer'], attributes: ['ink'] }), { entityTypes: ['Room', 'Printer'], attributes: ['ink'] });
    await probe.untilState('waiting');
    const ids = await local.publish('demo', [room(1), { entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:1' }, room(2)]);
    await probe.wake();
    assert('replayed' in (await probe.untilVerdicts(1)));
    // A change that was published a moment ago may come as a new event.
    await probe.untilEvents(5);
    assert.equal((await probe.untilState('connected', 2)).missed, false);
    assert.deepEqual((await probe.eventsOf('both')).sort(), [...ids].sort());
    const own = (await probe.events()).filter(({ subscriptions }) => !subscriptions?.includes('both'));
    assert.deepEqual(own.map(({ id }) => id).sort(), [ids[0], ids[2]].sort());
    await probe.close();
  });

  check('a collection follows its entities over a cut and over a new history', async (use) => {
    const local = await use.local(['--max-duration', '2s']);
    const data = (value: number) => ({ t: value });
    await local.publish('demo', [1, 2, 3].map((number) => ({ ...room(number), data: data(number) })));
    const probe = await environment.open({ url: local.url, tenant: 'demo', ...ON_DEMAND });
    const of = (values: Record<number, number>) => Object.fromEntries(Object.entries(values).map(([number, value]) => [`urn:ngsi-ld:Room:${number}`, data(value)]));
    await until('the states of three rooms', async () => {
      await probe.collect({ entityTypes: ['Room'] });
      return Object.keys(await probe.collected()).length === 3;
    });
    assert.deepEqual(await probe.collected(), of({ 1: 1, 2: 2, 3: 3 }));
    await probe.untilState('waiting');
    await local.publish('demo', [{ ...room(1), data: data(10) }, { ...room(2), type: 'entityDeleted' }, { ...room(4), data: data(4) }]);
    await probe.wake();
    assert('replayed' in (await probe.untilVerdicts(1)));
    await probe.untilCollected(3);
    assert.deepEqual(await probe.collected(), of({ 1: 10, 3: 3, 4: 4 }));

    // A server with empty tables cannot tell what was missed. Its snapshot lacks what is gone.
    await probe.untilState('waiting', 2);
    await local.stop();
    await local.run();
    await local.publish('demo', [{ ...room(7), data: data(7) }]);
    await probe.wake();
    assert('reason' in (await probe.untilVerdicts(2)));
    await probe.untilCollected(1);
    assert.deepEqual(await probe.collected(), of({ 7: 7 }));
    await probe.close();
  });

  check('a snapshot comes first, and again if events may be missing', async (use) => {
    const local = await use.local();
    await local.publish('demo', [room(1), room(2)]);
    const probe = await environment.open({ url: local.url, tenant: 'demo', ...ON_DEMAND });
    await until('both rooms in a snapshot', async () => {
      await probe.unsubscribe();
      await probe.subscribe({ entityTypes: ['Room'] }, { snapshot: true });
      return (await probe.untilSnapshots(1)).at(-1)!.length === 2;
    });
    const before = (await probe.untilSnapshots(1)).length;
    await local.stop();
    await local.run();
    await probe.untilState('waiting');
    await probe.wake();
    assert.deepEqual((await probe.untilSnapshots(before + 1)).at(-1), []);
    await probe.close();
  });

  check('connections are replaced without a missed event at 100 events a second', async (use) => {
    // The server ends a connection after 8 seconds, and six connections of about 2 seconds take longer. Without rotation there
    // would be gaps. A replacement has 6 seconds, so that a busy machine does not cause a gap.
    const local = await use.local(['--max-duration', '8s'], WITHOUT_STATES);
    const probe = await environment.open({ url: local.url, tenant: 'demo', rotateAfterMs: 2000, drainMs: 1000 });
    await probe.subscribe({ entityTypes: ['Room'] });
    const published = await publishWhile(local, probe.untilSockets(6));
    await probe.untilEvents(published.length);
    const received = (await probe.events()).map(({ id }) => id);
    assert.equal(new Set(received).size, received.length, 'a repeat was not dropped');
    assert.deepEqual(new Set(received), new Set(published));
    assert((await probe.frames()) > received.length, 'no event arrived on both connections, so they did not overlap');
    assert.deepEqual((await probe.states()).map(({ state }) => state), ['connecting', 'connected']);
    assert.deepEqual(await probe.errors(), []);
    await probe.close();
    await until('all connections to be forgotten', async () => (await local.connections()) === 0);
  });

  check('a group loses no event when members join, leave and replace their connections at 100 events a second', async (use) => {
    const local = await use.local([], WITHOUT_STATES);
    const member = () => environment.open({ url: local.url, tenant: 'demo', groupId: 'workers', rotateAfterMs: 1500 });
    const [first, second] = [await member(), await member()];
    await first.subscribe({ entityTypes: ['Room'] });
    const published = await publishWhile(local, (async () => {
      await first.untilSockets(2);
      await second.subscribe({ entityTypes: ['Room'] });
      await second.untilEvents(20);
      await first.close();
      await second.untilSockets(3);
    })());
    const received = async () => [...(await first.events()), ...(await second.events())].map(({ id }) => id);
    await until('all events', async () => new Set(await received()).size >= published.length);
    assert.deepEqual(new Set(await received()), new Set(published));
    await second.close();
  });

  check('a member that leaves its group replaces its connection no more', async (use) => {
    const local = await use.local([], WITHOUT_STATES);
    const member = await environment.open({ url: local.url, tenant: 'demo', groupId: 'workers', rotateAfterMs: 300, drainMs: 1500 });
    await member.subscribe({ entityTypes: ['Room'] });
    // It takes events until it has left, and a connection would be replaced several times in this time.
    const leaving = (async () => {
      await member.untilEvents(20);
      await member.close();
    })();
    await publishWhile(local, leaving);
    await until('all connections to be forgotten', async () => (await local.connections()) === 0);
  });

  check('a change of filter during the replacement of a connection misses no event', async (use) => {
    const local = await use.local();
    const probe = await environment.open({ url: local.url, tenant: 'demo', rotateAfterMs: 300, drainMs: 100 });
    await probe.subscribe({ entityTypes: ['None'] });
    for (let number = 0; number < 20; number += 1) {
      assert.deepEqual(await probe.subscribe({ entityTypes: [`Type${number}`] }), { entityTypes: [`Type${number}`] });
      const [id] = await local.publish('demo', [{ entityType: `Type${number}`, entityId: `urn:${number}` }]);
      await probe.untilEvent(id!);
    }
    await probe.untilSockets(4);
    await probe.close();
  });
}

/** Publishes ten changes every tenth of a second until `done`. Returns the ids of all of them. */
async function publishWhile(local: Local, done: Promise<void>): Promise<string[]> {
  const requests: Promise<string[]>[] = [];
  let number = 0;
  const timer = setInterval(() => requests.push(local.publish('demo', Array.from({ length: 10 }, () => room((number += 1))))), 100);
  await done.finally(() => clearInterval(timer));
  return (await Promise.all(requests)).flat();
}
