import assert from 'node:assert/strict';
import { type Local, until } from '../harness/local.js';
import { type Scenarios, room } from './platform.js';

/** A hundred new entities a second are a load for a debug build on a slow machine, and these scenarios are not about their states. */
const WITHOUT_STATES = { ENTITY_STATE: 'false' };

/** Connections that replace others, and members of groups. */
export function replacing({ environment, check }: Scenarios): void {
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
