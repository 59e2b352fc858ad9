import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { EntityStream } from '../src/stream.js';
import { type Peer, Scripted, eventually } from './harness/scripted.js';
import { mint } from './harness/tokens.js';

/** A test with a server in this process. Its streams are closed in the end. */
const check = (what: string, body: (server: Scripted, open: Scripted['stream'], context: TestContext) => Promise<void>) =>
  test(what, { timeout: 30_000 }, async (context) => {
    const server = new Scripted();
    const streams: EntityStream[] = [];
    context.after(() => Promise.all(streams.map((stream) => stream.close())));
    await body(server, (options) => {
      const stream = server.stream(options);
      streams.push(stream);
      return stream;
    }, context);
  });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const settled = (promise: Promise<unknown>, ms = 2000) =>
  Promise.race([promise.then(() => 'resolved', (error: { code?: string }) => `rejected ${error.code}`), pause(ms).then(() => 'never')]);

check('a connection that was replaced moves the position no more', async (server, open) => {
  const stream = open({ rotateAfterMs: 1000, drainMs: 60_000 });
  const heard: string[] = [];
  const first = stream.subscribe({ entityTypes: ['A'] }, { name: 'a' });
  first.on('event', ({ id }) => heard.push(id));
  await first.ready;
  await eventually('the replacement', () => server.peers[1]?.messages.length === 1);
  await stream.subscribe({ entityTypes: ['B'] }, { name: 'b' }).ready;
  const { bookmark } = stream;
  // Only the new connection has the event of b before this one.
  server.peers[0]!.event('a1', 'p0011', ['a']);
  assert.deepEqual([heard, stream.bookmark], [['a1'], bookmark]);
  server.peers[1]!.cut();
  // The loss is noticed at once, though the old connection is still open.
  await eventually('the next connection', () => server.peers.length > 2 && server.peers[2]!.messages.length > 0);
  assert.deepEqual(server.peers[2]!.messages[0]!['since'], bookmark);
  assert.deepEqual(server.peers[2]!.asked, ['subscribe a,b']);
});

for (const how of ['refused', 'cut'] as const) {
  check(`a subscription that is closed during an update leaves nothing behind: ${how}`, async (server, open) => {
    let held: (() => void) | undefined;
    server.handle = (peer, message) => {
      if (message.action !== 'subscribe' || peer.messages.length !== 2) return false;
      held = () => (how === 'refused' ? peer.refuse(message, 'invalid_q') : peer.cut());
      return true;
    };
    const stream = open();
    const [first] = [stream.subscribe({ entityTypes: ['A'] }, { name: 'a' })];
    await first.ready;
    const updated = settled(first.update({ q: '(' }));
    await eventually('the update', () => held !== undefined);
    const closed = settled(first.close());
    held!();
    assert.equal(await updated, how === 'refused' ? 'rejected invalid_q' : 'rejected closed');
    assert.equal(await closed, 'resolved');
    await eventually('the end', () => stream.state === 'idle');
    assert.equal(server.peers.length, 1);
  });
}

check('several subscriptions that are closed at once leave the connection to the next one', async (server, open) => {
  const stream = open();
  const both = [stream.subscribe({ entityTypes: ['A'] }), stream.subscribe({ entityTypes: ['B'] })];
  await Promise.all(both.map(({ ready }) => ready));
  await Promise.all(both.map((each) => each.close()));
  await pause(500);
  await stream.subscribe({ entityTypes: ['C'] }).ready;
  await pause(1000);
  assert.deepEqual([stream.state, server.peers.length], ['connected', 1]);
});

check('a name can be used again while the stream connects', async (server, open) => {
  let login = Promise.resolve('');
  const stream = open({ getToken: () => login });
  const keep = stream.subscribe({ entityTypes: ['K'] }, { name: 'keep' });
  const first = stream.subscribe({ entityTypes: ['A'] }, { name: 'first' });
  await Promise.all([keep.ready, first.ready]);
  let finish!: (token: string) => void;
  login = new Promise((resolve) => (finish = resolve));
  server.peers[0]!.cut();
  await eventually('another attempt', () => stream.state === 'connecting');
  const closed = first.close();
  const second = stream.subscribe({ entityTypes: ['B'] }, { name: 'first' });
  finish('');
  await Promise.all([second.ready, closed]);
  await pause(20);
  assert.deepEqual(server.peers[1]!.asked, ['subscribe keep,first']);
  const heard: string[] = [];
  second.on('event', ({ id }) => heard.push(id));
  server.peers[1]!.event('b1', 'p0011', ['first']);
  assert.deepEqual(heard, ['b1']);
});

check('a name that is used again gets no events of its former filter', async (server, open) => {
  const stream = open({ rotateAfterMs: 1000, drainMs: 60_000 });
  const [keep, first] = [stream.subscribe({ entityTypes: ['K'] }), stream.subscribe({ entityTypes: ['A'] }, { name: 'n' })];
  await Promise.all([keep.ready, first.ready]);
  await eventually('the replacement', () => server.peers[1]?.messages.length === 1);
  await pause(10);
  const closed = first.close();
  const second = stream.subscribe({ entityTypes: ['B'] }, { name: 'n' });
  await Promise.all([closed, second.ready]);
  const heard: string[] = [];
  stream.on('event', ({ id }) => heard.push(id));
  server.peers[0]!.event('a1', 'p0011', ['n']);
  server.peers[1]!.event('b1', 'p0012', ['n']);
  assert.deepEqual(heard, ['b1']);
});

check('a collection that ends while it is opened is never ready', async (_, open) => {
  assert.equal(await settled(open().entities({}, { signal: AbortSignal.abort() }).ready), 'rejected closed');
  const stream = open();
  stream.on('state', ({ state }) => state === 'connecting' && void stream.close());
  assert.equal(await settled(stream.entities().ready), 'rejected closed');
});

check('a stream that is closed before it has a token asks for none, and ends at once', async (_, open) => {
  let asked = 0;
  const stream = open({
    getToken: () => {
      asked += 1;
      return new Promise(() => {});
    },
  });
  let closed: Promise<void> | undefined;
  stream.on('state', ({ state }) => state === 'connecting' && (closed = stream.close()));
  stream.subscribe().ready.catch(() => {});
  assert.equal(await settled(closed!), 'resolved');
  assert.equal(asked, 0);
});

check('a member of a group can be closed at each moment between the handshake and its first request', async (server, open) => {
  for (let ticks = 0; ticks < 12; ticks += 1) {
    let closed: Promise<void> | undefined;
    const stream = open({
      groupId: 'g', getToken: () => mint('demo', 600), authenticate: 'first-message',
      debug: async ({ kind, what }) => {
        if (kind !== 'received' || what !== 'authenticated') return;
        for (let tick = 0; tick < ticks; tick += 1) await undefined;
        closed = stream.close();
      },
    });
    stream.subscribe().ready.catch(() => {});
    await eventually('the end', () => closed !== undefined);
    assert.equal(await settled(closed!), 'resolved', `after ${ticks} ticks`);
    assert(!server.peers.at(-1)!.isOpen);
  }
});

check('a wake-up does not shorten the wait after a resume that was too soon', async (server, open) => {
  server.handle = (peer, message) => message['since'] !== undefined && (peer.refuse(message, 'limit_exceeded'), true);
  const stream = open();
  const both = [stream.subscribe({ entityTypes: ['A'] }), stream.subscribe({ entityTypes: ['B'] })];
  await Promise.all(both.map(({ ready }) => ready));
  const waits: (number | undefined)[] = [];
  stream.on('state', ({ retryInMs }) => retryInMs !== undefined && waits.push(retryInMs));
  server.peers[0]!.cut();
  await eventually('the refusal', () => waits.length === 2);
  stream.wake();
  await pause(100);
  assert.deepEqual([stream.state, server.peers.length, waits[1]], ['waiting', 2, 10_000]);
  await stream.close();
});

check('a token that was refused in a renewal is not sent again', async (server, open) => {
  const tokens = [mint('demo', 2), mint('demo', 600)];
  const sent: unknown[] = [];
  server.handle = (peer, message) => {
    if (message.action !== 'authenticate') return false;
    sent.push(message['token']);
    peer.refuse(message, 'unauthorized');
    return true;
  };
  let calls = 0;
  const stream = open({ getToken: () => tokens[Math.min(calls++, 1)]! });
  stream.subscribe().ready.catch(() => {});
  await eventually('the end', () => stream.state === 'failed');
  assert.deepEqual(sent, [tokens[1]]);
  assert.deepEqual(server.peers.map(({ protocols }) => protocols[1]), [tokens[0]]);
});

check('one subscription that the server cannot serve does not take the others down', async (server, open) => {
  const bad = (peer: Peer) => peer.messages.at(-1)!.subscriptions?.some((each) => each['q']);
  server.handle = (peer, message) => bad(peer) && (peer.refuse(message, 'internal'), true);
  const stream = open();
  const keep = stream.subscribe({ entityTypes: ['K'] });
  await keep.ready;
  assert.equal(await settled(stream.subscribe({ q: 'a==1' }).ready, 10_000), 'rejected internal');
  assert.deepEqual([stream.state, keep.state, server.peers.length], ['connected', 'active', 1]);
  const late = settled(stream.subscribe({ q: 'a==1' }).ready, 10_000);
  server.peers[0]!.cut();
  assert.equal(await late, 'rejected internal');
  assert.deepEqual([stream.state, keep.state], ['connected', 'active']);
});

check('a view whose order fails disturbs nothing else', async (server, open, context) => {
  // The library reports the error through this function.
  const reports = context.mock.method(globalThis, 'queueMicrotask', () => {});
  const stream = open();
  const load = () => ['a', 'b', 'c'].map((id) => ({ id, type: 'Room' }));
  const [rooms, loaded] = [stream.entities({}, { name: 'rooms' }), stream.entities({}, { load })];
  const failed: unknown[] = [];
  loaded.on('error', (error) => failed.push(error));
  const sort = () => {
    throw new Error('a mistake');
  };
  for (const each of [rooms, loaded]) each.view({ sort });
  const other = stream.subscribe({}, { name: 'other' });
  await Promise.all([rooms.ready, loaded.ready, other.ready]);
  const heard: string[] = [];
  other.on('event', ({ id }) => heard.push(id));
  for (const id of ['1', '2', '3']) server.peers[0]!.event(id, `p10${id}`, ['rooms', 'other']);
  assert.deepEqual([heard, rooms.size, loaded.size, failed], [['1', '2', '3'], 3, 3, []]);
  assert(reports.mock.callCount() > 0);
});

check('an error has no part of the query of the URL', async (_, open) => {
  class Refusing {
    constructor(url: string) {
      throw new SyntaxError(`Invalid URL: ${url}`);
    }
  }
  const stream = open({ url: "ws://scripted/?key='eyJsecret'", WebSocket: Refusing as never });
  const error = await stream.subscribe().ready.then(() => assert.fail(), (error: Error & { code: string }) => error);
  assert.equal(error.code, 'handshake_refused');
  assert.match(error.message, /refuses the URL \(SyntaxError\)/);
  assert(!`${error.stack}${String(error.cause)}`.includes('eyJsecret'));
});

check('a collection that is closed asks for no further part of its snapshot', async (server, open) => {
  const tokens: unknown[] = [];
  server.handle = (peer, message) => {
    const part = { snapshot: 1, snapshotNext: `t${tokens.length}` };
    if (message.action === 'snapshot') {
      tokens.push(message['next']);
      peer.send({ type: 'snapshot', requestId: message.requestId, ...part });
      return true;
    }
    if (!message.subscriptions?.some((each) => each['snapshot'])) return false;
    peer.answer(message, part);
    return true;
  };
  const entities = open().entities();
  await eventually('some parts', () => tokens.length > 2);
  assert.equal(await settled(entities.close()), 'resolved');
  assert.equal(server.peers[0]!.asked.at(-1)?.split(' ')[0], 'unsubscribe');
});

check('a stream that is closed by the listener of its state opens no connection', async (server, open) => {
  for (const getToken of [undefined, () => mint('demo', 600)]) {
    const stream = open(getToken ? { getToken } : {});
    let closed: Promise<void> | undefined;
    stream.on('state', ({ state }) => {
      if (state === 'connecting') closed = stream.close();
    });
    assert.equal(await settled(stream.subscribe().ready), 'rejected closed');
    assert.equal(await settled(closed!), 'resolved');
  }
  assert.equal(server.peers.length, 0);
});

check('a signal that has aborted opens nothing', async (server, open) => {
  const stream = open();
  const signal = AbortSignal.abort();
  const load = () => assert.fail('load is called');
  for (const one of [stream.subscribe({}, { signal }), stream.entities({}, { signal, load })]) {
    assert.deepEqual([one.state, await settled(one.ready)], ['closed', 'rejected closed']);
    await one.close();
  }
  for await (const event of stream.subscribe({}, { signal })) assert.fail(event.id);
  assert.deepEqual([stream.state, server.peers.length], ['idle', 0]);
});
