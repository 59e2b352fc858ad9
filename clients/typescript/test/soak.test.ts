import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Entities, EntityStream } from '@entity-stream/client';
import { WebSocket } from 'ws';
import { Local, until } from './harness/local.js';
import { SECRET, mint } from './harness/tokens.js';

/** The length of the test; `ENTITY_STREAM_SOAK_SECONDS=600` is a long one. */
const SECONDS = Number(process.env['ENTITY_STREAM_SOAK_SECONDS'] ?? 12);
const CUTS = Math.max(8, Math.round(SECONDS / 30));
/** The parts of the mean time before each of four cuts. The last connection is old enough for a fresh token and a replacement. */
const PARTS = [0.4, 0.4, 0.4, 2.8];
const FILTERS = [{}, { q: 'speed>30' }];

test('cuts, replacements and fresh tokens leave a collection as the service knows it, and no event comes twice', { timeout: (SECONDS + 120) * 1000 }, async (context) => {
  // Long enough for a handshake on a busy machine. Half of it is the time of the renewal.
  const life = Math.max(6, SECONDS / 20);
  const flags = ['--simulate', 'demo', '--simulate-rate', '40', '--max-duration', `${Math.ceil(SECONDS / 2)}s`];
  const local = await Local.start(flags, { AUTH_ENABLED: 'true', JWT_SECRET: SECRET });
  const sockets = new Set<WebSocket>();
  class Cut extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      sockets.add(this);
      this.on('close', () => sockets.delete(this));
    }
  }
  let tokens = 0;
  let authenticated = 0;
  const getToken = () => {
    tokens += 1;
    return mint('demo', life);
  };
  const stream = new EntityStream({
    url: local.url,
    tenant: 'demo',
    WebSocket: Cut,
    getToken,
    rotateAfterMs: Math.max(life / 1.6, SECONDS / 8) * 1000,
    drainMs: 300,
    backoffMinMs: 50,
    backoffMaxMs: 300,
    renewBeforeMs: (life / 2) * 1000,
    debug: ({ what }) => void (authenticated += what === 'authenticated' ? 1 : 0),
  });
  const witness = new EntityStream({ url: local.url, tenant: 'demo', WebSocket, getToken: () => mint('demo', 3600) });
  context.after(async () => {
    await Promise.all([stream.close(), witness.close()]);
    await local.kill();
  });
  const seen = new Set<string>();
  const repeats: string[] = [];
  const verdicts: boolean[] = [];
  stream.on('recovered', () => verdicts.push(true));
  stream.on('notRecovered', () => verdicts.push(false));
  stream.subscribe({ entityTypes: ['Vehicle'] }).on('event', ({ id }) => void (seen.has(id) ? repeats.push(id) : seen.add(id)));
  const collections = FILTERS.map((filter) => stream.entities(filter));
  await Promise.all(collections.map(({ ready }) => ready));
  for (let cut = 0; cut < CUTS; cut += 1) {
    await pause((0.75 + Math.random() / 2) * PARTS[cut % PARTS.length]! * (SECONDS / CUTS) * 1000);
    for (const socket of sockets) socket.terminate();
  }
  const fresh = FILTERS.map((filter) => witness.entities(filter));
  await Promise.all(fresh.map(({ ready }) => ready));
  const state = (entities: Entities) => Object.fromEntries([...entities].sort().map(([id, { version, data }]) => [id, { version, data }]));
  // Entities change all the time, and one connection is ahead of the other, so each entity is compared until it is the same in both.
  const agreed = collections.map(() => new Set<string>());
  const isSame = (own: Entities, place: number): boolean => {
    const [left, right] = [state(own), state(fresh[place]!)];
    const ids = Object.keys({ ...left, ...right });
    for (const id of ids) if (isDeepStrictEqual(left[id], right[id])) agreed[place]!.add(id);
    return own.isComplete && ids.every((id) => agreed[place]!.has(id));
  };
  await until('each entity to be the same', () => collections.map(isSame).every((same) => same));
  // Cuts may have come before each renewal, and while the stream was about to resume.
  await until('a renewal and three resumes', () => authenticated > 0 && verdicts.length > 2);
  assert(collections[0]!.size > 50 && seen.size > 20);
  assert.deepEqual(repeats, []);
  // Each connection and each renewal had a token of its own.
  assert(tokens > verdicts.length + authenticated, JSON.stringify({ verdicts, authenticated, tokens }));
  assert(verdicts.every((recovered) => recovered), 'the history reaches back');
});
