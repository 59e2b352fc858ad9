// @ts-nocheck
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type EntityEvent, EntityStream, type EntityStreamError, type Filter, type StateChange } from '@entity-stream/client';
import { WebSocket, WebSocketServer } from 'ws';

type Fields = Record<string, unknown>;
/** A step of a scenario; `clients/scenarios/README.md` describes them. */
type Step = Fields;

/** A scenario as its file has it. */
export interface Scenario {
  name: string;
  reason: string;
  options: Fields & { tokens?: { behind: number; life: number }[] };
  steps: Step[];
}

/** The longest wait of a step. */
const STEP_MS = 20_000;

/** One connection at the server. */
interface Peer {
  socket: WebSocket;
  unread: Fields[];
  last: Fields;
  silent: boolean;
  ended: boolean;
}

/** Runs a scenario against this package, and fails with the step that did not come true. */
export async function play({ options: { tokens, ...options }, steps }: Scenario): Promise<void> {
  const run = new Run();
  await run.start({ ...options }, tokens);
  try {
    for (const [place, step] of steps.entries()) {
      try {
        await run.step(step);
      } catch (error) {
        throw new Error(`step ${place + 1}, ${JSON.stringify(step)}: ${(error as Error).message}; ${run.summary()}`, { cause: error });
      }
    }
  } finally {
    await run.end();
  }
}

class Run {
  private readonly news = new EventEmitter().setMaxListeners(0);
  private readonly peers: Peer[] = [];
  private readonly refusals: number[] = [];
  private readonly calls = new Map<string, { promise: Promise<unknown>; error?: EntityStreamError; done?: true }>();
  private readonly events: EntityEvent[] = [];
  private readonly states: StateChange[] = [];
  private readonly errors: EntityStreamError[] = [];
  private readonly marks = new Map<string, number>();
  private server!: WebSocketServer;
  private stream!: EntityStream;
  private issuedAt = 0;
  private servesRest = false;
  private isClosed = false;

  async start(options: Fields, tokens: Scenario['options']['tokens']): Promise<void> {
    this.server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: (offered) => [...offered][0] ?? false,
      verifyClient: (_, decide) => {
        const status = this.refusals.shift();
        decide(status === undefined, status);
      },
    });
    await once(this.server, 'listening');
    this.server.on('connection', (socket) => this.connect(socket));
    const { port } = this.server.address() as AddressInfo;
    let next = 0;
    const getToken = tokens && (() => this.token(tokens[Math.min(next++, tokens.length - 1)]!));
    this.stream = new EntityStream({ url: `ws://127.0.0.1:${port}`, tenant: 'demo', WebSocket, ...options, ...(getToken ? { getToken } : {}) });
    this.stream.on('event', (event) => this.tell(() => this.events.push(event)));
    this.stream.on('state', (change) => this.tell(() => this.states.push(change)));
    this.stream.on('error', (error) => this.tell(() => this.errors.push(error)));
  }

  async end(): Promise<void> {
    for (const { socket } of this.peers) socket.terminate();
    await this.stream.close();
    this.server.close();
  }

  summary(): string {
    const states = this.states.map(({ state }) => state);
    return JSON.stringify({ states, errors: this.errors.map(({ code }) => code), events: this.events.map(({ id }) => id), connections: this.peers.length });
  }

  async step(step: Step): Promise<void> {
    const peer = () => this.peers[Number(step['on'] ?? this.peers.length) - 1]!;
    if ('subscribe' in step) return this.subscribe(step);
    if ('close' in step) return void this.stream.close().then(() => this.tell(() => (this.isClosed = true)));
    if ('untilClosed' in step) return this.until(() => this.isClosed);
    if ('untilDone' in step) return this.until(() => this.calls.get(String(step['untilDone']))?.done === true);
    if ('untilRejected' in step) {
      const call = this.calls.get(String(step['untilRejected']))!;
      await this.until(() => call.error !== undefined);
      return assert.equal(call.error!.code, step['code']);
    }
    if ('untilEvents' in step) {
      const expected = step['untilEvents'] as string[];
      await this.until(() => this.events.length >= expected.length);
      return assert.deepEqual(this.events.map(({ id }) => id).sort(), [...expected].sort());
    }
    if ('untilState' in step) {
      const times = Number(step['times'] ?? 1);
      return this.until(() => this.states.filter(({ state }) => state === step['untilState']).length >= times);
    }
    if ('missedSinceAtMost' in step) {
      const { missedSince } = this.states.filter(({ state }) => state === 'connected').at(-1)!;
      return assert(missedSince && missedSince.getTime() <= this.marks.get(String(step['missedSinceAtMost']))!, `${missedSince?.toISOString()}`);
    }
    if ('noError' in step) return assert(this.errors.every(({ code }) => code !== step['noError']));
    if ('accept' in step) return this.until(() => this.peers.length >= Number(step['accept']));
    if ('read' in step) return this.read(peer(), step['read'] as Fields);
    if ('readWithin' in step) {
      await this.read(peer(), step['readWithin'] as Fields);
      return assert(performance.now() - this.issuedAt < Number(step['seconds']) * 1000, 'too late');
    }
    if ('answer' in step) return peer().socket.send(JSON.stringify({ ...(step['answer'] as Fields), requestId: peer().last['requestId'] }));
    if ('event' in step) return peer().socket.send(JSON.stringify(event(String(step['event']), String(step['type']))));
    if ('end' in step) return peer().socket.close(Number(step['end']));
    if ('untilEnded' in step) return this.until(() => this.peers[Number(step['untilEnded']) - 1]!.ended);
    if ('refuse' in step) return void this.refusals.push(Number(step['refuse']));
    if ('silent' in step) return void (peer().silent = true);
    if ('mark' in step) return void this.marks.set(String(step['mark']), Date.now());
    if ('serveRest' in step) return this.serveRest();
    if ('connections' in step) return assert.equal(this.peers.length, step['connections']);
    assert.fail('this runner does not know the step');
  }

  private subscribe(step: Step): void {
    const filter = (() => {
      const { entityTypes, ...rest } = step['subscribe'] as { entityTypes?: string[] | { repeatType: number; characters: number } };
      if (!entityTypes || Array.isArray(entityTypes)) return { ...rest, entityTypes } as Filter;
      const { repeatType, characters } = entityTypes;
      return { ...rest, entityTypes: Array.from({ length: repeatType }, (_, place) => String(place).padEnd(characters, '界')) };
    })();
    const call = () => {
      const entry: { promise: Promise<unknown>; error?: EntityStreamError; done?: true } = { promise: this.stream.subscribe(filter) };
      this.calls.set(String(step['as']), entry);
      entry.promise.then(
        () => this.tell(() => (entry.done = true)),
        (error: EntityStreamError) => this.tell(() => (entry.error = error)),
      );
    };
    const before = step['afterRejectionOf'];
    if (before === undefined) call();
    else this.calls.get(String(before))!.promise.catch(call);
  }

  private connect(socket: WebSocket): void {
    const peer: Peer = { socket, unread: [], last: {}, silent: false, ended: false };
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Fields;
      if (peer.silent) return;
      if (message['action'] === 'ping') return socket.send(JSON.stringify({ type: 'pong' }));
      this.tell(() => peer.unread.push(message));
      if (this.servesRest) this.serve(peer);
    });
    socket.on('close', () => this.tell(() => (peer.ended = true)));
    this.tell(() => this.peers.push(peer));
  }

  private async read(peer: Peer, expected: Fields): Promise<void> {
    await this.until(() => peer.unread.length > 0);
    peer.last = peer.unread.shift()!;
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(peer.last[name], value);
  }

  private serveRest(): void {
    this.servesRest = true;
    for (const peer of this.peers) this.serve(peer);
  }

  private serve(peer: Peer): void {
    for (const { action, requestId } of peer.unread.splice(0)) {
      if (action === 'subscribe') peer.socket.send(JSON.stringify({ type: 'subscribed', requestId }));
    }
  }

  private token({ behind, life }: { behind: number; life: number }): string {
    this.issuedAt = performance.now();
    const iat = Date.now() / 1000 + behind;
    return ['{}', JSON.stringify({ iat, exp: iat + life }), 'signature'].map((part) => Buffer.from(part).toString('base64url')).join('.');
  }

  private tell(how: () => void): void {
    how();
    this.news.emit('news');
  }

  private async until(condition: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(STEP_MS);
    while (!condition()) await once(this.news, 'news', { signal });
  }
}

function event(id: string, entityType: string): EntityEvent {
  const entityId = `urn:ngsi-ld:${entityType}:1`;
  return { type: 'entityUpdated', id, tenant: 'demo', servicePath: '/', entityId, entityType, data: {}, timestamp: '2026-01-02T03:04:05Z' };
}
