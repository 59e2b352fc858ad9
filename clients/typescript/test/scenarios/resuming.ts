import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../harness/local.js';
import { type Scenarios, room } from './platform.js';

/** The next attempt is hours away, except for a chance of one in thousands, so that the test decides when it is. */
const ON_DEMAND = { backoffMinMs: 36_000_000, backoffMaxMs: 36_000_000 };

/** The messages after a lost connection. */
export function resuming({ environment, check }: Scenarios): void {
  check('a client that was cut off gets what it missed, for each of its subscriptions', async (use) => {
    const local = await use.local(['--max-duration', '5s']);
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
    const local = await use.local(['--max-duration', '5s']);
    const data = (value: number) => ({ t: value });
    await local.publish('demo', [1, 2, 3].map((number) => ({ ...room(number), data: data(number) })));
    const probe = await environment.open({ url: local.url, tenant: 'demo', ...ON_DEMAND });
    const of = (values: Record<number, number>) => Object.fromEntries(Object.entries(values).map(([number, value]) => [`urn:ngsi-ld:Room:${number}`, data(value)]));
    await probe.collect({ entityTypes: ['Room'] });
    await probe.untilCollected(3);
    assert.deepEqual(await probe.collected(), of({ 1: 1, 2: 2, 3: 3 }));
    await probe.untilState('waiting');
    await local.publish('demo', [{ ...room(1), data: data(10) }, { ...room(2), type: 'entityDeleted' }, { ...room(4), data: data(4) }]);
    await probe.wake();
    assert('replayed' in (await probe.untilVerdicts(1)));
    // There were three before, too. A change that was published a moment ago may come after the verdict.
    await until('the changes', async () => isDeepStrictEqual(await probe.collected(), of({ 1: 10, 3: 3, 4: 4 })));

    // A server with empty tables does not know the missed changes. Its snapshot lacks deleted entities.
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
}
