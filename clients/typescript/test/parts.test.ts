import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../src/backoff.js';
import { Emitter } from '../src/emitter.js';
import type { OverflowError } from '../src/errors.js';
import { EventIterator, type IteratorOptions, checkedIterator } from '../src/iterator.js';
import type { EntityEvent } from '../src/messages.js';
import { type EntityStreamOptions, settings } from '../src/options.js';
import { withoutQueries } from '../src/refusal.js';
import { after, within } from '../src/timer.js';
import { RefusedToken, TokenClock, fetchToken } from '../src/token.js';
import { onWake } from '../src/wake.js';
import { target } from '../src/url.js';
import { mint } from './harness/tokens.js';

class NoSocket {
  send(): void {}
  close(): void {}
  addEventListener(): void {}
}

const complete = (options: Partial<EntityStreamOptions> = {}) =>
  settings({ url: 'ws://localhost:3000', tenant: 'demo', WebSocket: NoSocket, ...options });

const event = (id: string): EntityEvent => ({
  type: 'entityUpdated', id, tenant: 'demo', servicePath: '/', entityId: 'urn:1', entityType: 'Room', data: {}, timestamp: '2026-01-02T03:04:05Z',
});

test('waits are random below a ceiling that doubles', () => {
  const backoff = new Backoff(500, 30_000);
  const ceilings = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
  const longest = ceilings.map(() => 0);
  for (let round = 0; round < 200; round += 1) {
    ceilings.forEach((ceiling, attempt) => {
      const wait = backoff.next();
      assert(wait >= 0 && wait < ceiling, `${wait} after failure ${attempt}`);
      longest[attempt] = Math.max(longest[attempt]!, wait);
    });
    backoff.reset();
  }
  // 200 waits in a row are below three quarters of their ceiling once in 10^25 runs.
  ceilings.forEach((ceiling, attempt) => assert(longest[attempt]! > ceiling * 0.75, 'the whole range is used'));
});

test('a wait can be skipped', async () => {
  const backoff = new Backoff(1, 1);
  const waited = backoff.wait(1_000_000_000);
  backoff.skip();
  await waited;
});

test('a wait can be shortened to its least time', async () => {
  const backoff = new Backoff(1, 1);
  const begin = performance.now();
  const waited = backoff.wait(1_000_000_000, 40);
  backoff.hurry();
  await waited;
  assert(performance.now() - begin > 35);
  const other = backoff.wait(1_000_000_000, 1_000_000_000);
  backoff.hurry();
  backoff.skip();
  await other;
});

test('nothing is awaited for a signal that has aborted', async () => {
  const never = new Promise(() => {});
  await assert.rejects(within(1_000_000_000, never, () => new Error('late'), AbortSignal.abort()), { code: 'closed' });
});

test('a timer keeps delays that setTimeout treats as none', async () => {
  const called: string[] = [];
  const cancels = [after(2 ** 31, () => called.push('a month')), after(Infinity, () => called.push('never'))];
  await new Promise<void>((resolve) => void after(5, resolve));
  for (const cancel of cancels) cancel();
  assert.deepEqual(called, []);
});

test('a listener can be called once, and be removed', () => {
  const emitter = new Emitter<{ event: string }>();
  const heard: string[] = [];
  const [once, always] = [(value: string) => void heard.push(`once ${value}`), (value: string) => void heard.push(value)];
  emitter.once('event', once);
  emitter.on('event', always);
  emitter.emit('event', 'a');
  emitter.emit('event', 'b');
  emitter.once('event', once);
  emitter.off('event', once);
  emitter.off('event', always);
  emitter.emit('event', 'c');
  assert.deepEqual(heard, ['once a', 'a', 'b']);
});

test('the other listeners get the event if a listener throws', (context) => {
  // The emitter reports the error through this function.
  const reports = context.mock.method(globalThis, 'queueMicrotask', () => {});
  const emitter = new Emitter<{ event: string }>();
  const heard: string[] = [];
  emitter.on('event', () => {
    throw new Error('a mistake');
  });
  const stop = emitter.on('event', (value) => heard.push(value));
  emitter.emit('event', 'one');
  stop();
  emitter.emit('event', 'two');
  assert.deepEqual(heard, ['one']);
  assert.equal(reports.mock.callCount(), 2);
  const report = reports.mock.calls[0]!.arguments[0] as () => void;
  assert.throws(report, /a mistake/);
});

function iterator(options: IteratorOptions) {
  const overflows: OverflowError[] = [];
  let ended = 0;
  const events = new EventIterator<EntityEvent>(options, (error) => overflows.push(error), () => (ended += 1));
  return { events, overflows, ended: () => ended };
}

test('an iterator drops the oldest event and reports it once', async () => {
  const { events, overflows } = iterator({ capacity: 2 });
  for (const id of ['a', 'b', 'c', 'd']) events.push(event(id));
  assert.deepEqual([overflows.length, events.dropped], [1, 2]);
  assert.equal(overflows[0]!.code, 'overflow');
  const ids: string[] = [];
  events.finish(undefined);
  for await (const { id } of events) ids.push(id);
  assert.deepEqual(ids, ['c', 'd']);
});

test('an iterator with overflow `fail` returns its buffered events and then throws once', async () => {
  const { events, overflows, ended } = iterator({ capacity: 1, overflow: 'fail' });
  const first = events.next();
  for (const id of ['a', 'b', 'c']) events.push(event(id));
  assert.equal((await first).value?.id, 'a');
  assert.equal((await events.next()).value?.id, 'b');
  await assert.rejects(events.next(), { code: 'overflow' });
  assert.deepEqual(await events.next(), { done: true, value: undefined });
  assert.deepEqual([overflows.length, ended()], [0, 1]);
});

test('leaving a loop ends its iterator, and so does the end of the stream', async () => {
  const left = iterator({});
  left.events.push(event('a'));
  for await (const { id } of left.events) {
    assert.equal(id, 'a');
    break;
  }
  assert.equal(left.ended(), 1);
  const failed = iterator({});
  const waiting = [failed.events.next(), failed.events.next()];
  failed.events.finish(new Error('refused'));
  await assert.rejects(waiting[0]!, /refused/);
  assert.deepEqual(await waiting[1], { done: true, value: undefined });
  assert.throws(() => checkedIterator({ capacity: 0 }), /at least 1/);
});

test('invalid options are refused at once, and the error contains no secret', () => {
  for (const [options, expected] of [
    [{ url: 'http://localhost:3000/?token=eyJsecret' }, /ws:/],
    [{ url: 'localhost' }, /WebSocket URL such as/],
    [{ url: 'ws://user:eyJsecret@localhost' }, /getToken/],
    [{ url: 'ws://localhost?token=eyJsecret' }, /getToken/],
    [{ url: 'ws://localhost?tenant=x' }, /`tenant`/],
    [{ url: 'ws://localhost?batch=false' }, /`batch`, this client sets it/],
    [{ url: 'ws://localhost/x?a=1&id%50attern=eyJsecret' }, /`idPattern`, use subscribe/],
    [{ url: 'ws://' }, /WebSocket URL such as/],
    [{ getTokn: () => 'eyJsecret' } as object, /a stream has no `getTokn`; did you mean `getToken`\?/],
    [{ dpop: {} as { keyPair: CryptoKeyPair } }, /generateDpopKey/],
    [{ url: 'ws://localhost?format=cloudevents' }, /`format`/],
    [{ tenant: '' }, /tenant has to be/],
    [{ tenant: 'a b' }, /tenant has to be/],
    [{ groupId: 'a b' }, /groupId/],
    [{ pingIntervalMs: -1 }, /pingIntervalMs/],
    [{ drainMs: Number.NaN }, /drainMs/],
    [{ authenticate: 'url' as 'handshake' }, /first-message/],
  ] as const) {
    assert.throws(
      () => complete(options),
      (error: Error) => error instanceof TypeError && expected.test(error.message) && !error.message.includes('eyJsecret'),
      JSON.stringify(options),
    );
  }
  assert.equal(complete({ drainMs: undefined }).drainMs, 10_000);
});

test('the URL of a connection has nothing of its subscriptions', () => {
  const added = 'tenant=demo&subscribe=none&batch=true';
  for (const [url, expected] of [
    ['ws://localhost:3000', `ws://localhost:3000/?${added}`],
    [' wss://x.test/prod?a=b%2Bc+d#e', `wss://x.test/prod?a=b%2Bc%20d&${added}`],
    ['WSS://[::1]:3000/a/?%ZZ', `WSS://[::1]:3000/a/?%ZZ&${added}`],
  ] as const) {
    assert.equal(target(complete({ url })), expected);
    assert(new URL(expected));
  }
  assert.equal(target(complete({ groupId: 'g.1' })), `ws://localhost:3000/?${added}&group_id=g.1`);
});

test('messages of the platform lose the queries of their URLs', () => {
  const message = "Failed to construct 'WebSocket': An insecure connection to 'ws://host:1/a?tenant=secret&x=1' may not be initiated";
  assert.equal(withoutQueries(message), message.replace('?tenant=secret&x=1', ''));
  assert.equal(withoutQueries('Unexpected server response: 401'), 'Unexpected server response: 401');
});

test('the life of a token does not depend on this clock', () => {
  const token = (iat: number | undefined, exp: number) => {
    const now = Date.now() / 1000;
    const claims = { ...(iat === undefined ? {} : { iat: now + iat }), exp: now + exp };
    return `a.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c`;
  };
  const near = (left: number | undefined, seconds: number) => assert(left !== undefined && Math.abs(left / 1000 - seconds) < 1, `${left}`);
  // `mint` counts whole seconds.
  near(new TokenClock().left(mint('demo', 600)), 599.5);
  for (const opaque of ['', 'opaque', 'a.b.c', 'a.bnVsbA.c']) assert.equal(new TokenClock().left(opaque), undefined, opaque);
  near(new TokenClock().left(token(-300, 300)), 300);
  near(new TokenClock().left(token(undefined, 50)), 50);
  assert.equal(new TokenClock().left(token(undefined, -50)), undefined);
  // The clock is ahead: by its own time, the accepted token is over.
  near(new TokenClock().left(token(-1200, -600)), 600);
  // The clock is 70 or 600 seconds behind: new tokens come from the future.
  near(new TokenClock().left(token(70, 90)), 20);
  near(new TokenClock().left(token(600, 608)), 8);
  // The lag that one token has proven holds for the next, which is not new.
  const clock = new TokenClock();
  clock.left(token(70, 90));
  near(clock.left(token(-530, 670)), 600);
});

test('a page without a whole document can be watched', () => {
  const surroundings = globalThis as { document?: unknown };
  for (const document of [undefined, {}, { visibilityState: 'visible' }]) {
    surroundings.document = document;
    onWake(() => {})();
  }
  delete surroundings.document;
});

test('an invalid token is neither sent nor repeated in an error', async () => {
  const fetch = (options: Partial<EntityStreamOptions>) => fetchToken(complete(options), new RefusedToken());
  for (const bad of ['Bearer eyJsecret', 'eyJsecret, x', 'eyJsecret\n', 7 as unknown as string]) {
    await assert.rejects(fetch({ getToken: () => bad }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'invalid_token');
      return !String(error.stack).includes('eyJsecret');
    });
  }
  for (const none of [undefined, null, '']) assert.equal(await fetch({ getToken: () => none }), undefined);
  const never = () => new Promise<string>(() => {});
  await assert.rejects(fetch({ getToken: never, connectTimeoutMs: 5 }), { code: 'token_unavailable' });
  const failing = () => Promise.reject(new Error('503 from the login'));
  await assert.rejects(fetch({ getToken: failing }), { code: 'token_unavailable', message: /503 from the login/ });
});
