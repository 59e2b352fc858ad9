import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { type Interface, createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import {
  type Entities,
  type EntityEvent,
  EntityStream,
  type EntityStreamError,
  type Filter,
  type StateChange,
  type SubscribeOptions,
  type Subscription,
} from '@entity-stream/client';
import { WebSocket } from 'ws';
import { builtProgram } from './local.js';

type Fields = Record<string, unknown>;
/** A step of a scenario; `clients/conformance/README.md` describes them. */
type Step = Fields;
type Token = { behind?: number; life?: number; again?: boolean; fails?: boolean };

/** A scenario as its file has it. */
export interface Scenario {
  name: string;
  reason: string;
  options: Fields & { tokens?: Token[] };
  steps: Step[];
}

/** The longest wait of a step. */
const STEP_MS = 20_000;

/** Runs a scenario against this package, and fails with the step that did not come true. */
export async function play({ options, steps }: Scenario): Promise<void> {
  const server = await ScriptedServer.start();
  const run = new Run(server, options);
  try {
    for (const [place, step] of steps.entries()) {
      try {
        await run.step(step);
      } catch (error) {
        throw new Error(`step ${place + 1}, ${JSON.stringify(step)}: ${(error as Error).message}; ${run.summary()}`, { cause: error });
      }
    }
  } finally {
    server.end();
    await run.end();
  }
}

/** `conformance-server`, a process of its own. */
class ScriptedServer {
  url = '';
  private readonly answers: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    lines: Interface,
  ) {
    this.answers = lines[Symbol.asyncIterator]();
  }

  static async start(): Promise<ScriptedServer> {
    const binary = builtProgram('conformance-server');
    assert(existsSync(binary), `${binary} is missing: run \`just build\` first`);
    const child = spawn(binary, { stdio: 'pipe' });
    const server = new ScriptedServer(child, createInterface({ input: child.stdout }));
    server.url = String((await server.read())['url']);
    return server;
  }

  async step(step: Step): Promise<void> {
    this.child.stdin.write(`${JSON.stringify(step)}\n`);
    const { error } = await this.read();
    assert.equal(error, undefined, String(error));
  }

  end(): void {
    this.child.stdin.end();
    this.child.kill();
  }

  private async read(): Promise<Fields> {
    const { value, done } = await this.answers.next();
    assert(!done, 'the server has ended');
    return JSON.parse(String(value)) as Fields;
  }
}

interface Call {
  promise: Promise<unknown>;
  error?: EntityStreamError;
  done?: true;
}

type Verdict = { recovered: number } | { notRecovered: string; missedSince: Date | undefined };

class Run {
  private readonly news = new EventEmitter().setMaxListeners(0);
  private readonly calls = new Map<string, Call>();
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly collections = new Map<string, { entities: Entities; changes: [string, string][] }>();
  private readonly events = new Map<string, string[]>();
  private readonly all = new Set<string>();
  private readonly states: StateChange[] = [];
  private readonly errors: EntityStreamError[] = [];
  private readonly failures = new Map<string, string>();
  private readonly verdicts: Verdict[] = [];
  private readonly marks = new Map<string, number>();
  private readonly stream: EntityStream;
  private token = '';
  private isClosed = false;

  constructor(
    private readonly server: ScriptedServer,
    { tokens, ...options }: Scenario['options'],
  ) {
    let next = 0;
    const getToken = tokens && (() => this.nextToken(tokens[Math.min(next++, tokens.length - 1)]!));
    this.stream = new EntityStream({ url: server.url, tenant: 'demo', WebSocket, ...options, ...(getToken ? { getToken } : {}) });
    this.stream.on('state', (change) => this.tell(() => this.states.push(change)));
    this.stream.on('error', (error) => this.tell(() => this.errors.push(error)));
    this.stream.on('recovered', ({ replayed }) => this.tell(() => this.verdicts.push({ recovered: replayed })));
    this.stream.on('notRecovered', ({ reason, missedSince }) => this.tell(() => this.verdicts.push({ notRecovered: reason, missedSince })));
  }

  async end(): Promise<void> {
    await this.stream.close();
  }

  summary(): string {
    const states = this.states.map(({ state }) => state);
    const errors = this.errors.map(({ code, message }) => `${code}: ${message}`);
    return JSON.stringify({ states, errors, events: [...this.all], verdicts: this.verdicts });
  }

  async step(step: Step): Promise<void> {
    if ('subscribe' in step || 'entities' in step || 'update' in step) return this.call(step);
    if ('closeSubscription' in step) return this.close(String(step['closeSubscription']));
    if ('close' in step) return void this.stream.close().then(() => this.tell(() => (this.isClosed = true)));
    if ('wake' in step) return this.stream.wake();
    if ('mark' in step) return void this.marks.set(String(step['mark']), Date.now());
    if ('untilClosed' in step) return this.until(() => this.isClosed);
    if ('untilDone' in step) return this.until(() => this.calls.get(String(step['untilDone']))?.done === true);
    if ('untilRejected' in step) {
      const call = this.calls.get(String(step['untilRejected']))!;
      await this.until(() => call.error !== undefined);
      return assert.equal(call.error!.code, step['code']);
    }
    if ('untilFailed' in step) {
      const name = String(step['untilFailed']);
      await this.until(() => this.failures.has(name));
      return assert.equal(this.failures.get(name), step['code']);
    }
    if ('untilEvents' in step) return this.untilEvents(step['untilEvents'] as string[], step['of'] as string | undefined);
    if ('untilVerdict' in step) return this.untilVerdict(step['untilVerdict'] as Fields, step['times'] as number | undefined);
    if ('untilEntities' in step) {
      const { entities } = this.collections.get(String(step['of']))!;
      const now = () => Object.fromEntries([...entities].map(([id, { data }]) => [id, data]));
      return this.until(() => isDeepStrictEqual(now(), step['untilEntities'])).catch(() => assert.deepEqual(now(), step['untilEntities']));
    }
    if ('changes' in step) return assert.deepEqual(this.collections.get(String(step['of']))!.changes, step['changes']);
    if ('untilState' in step) {
      const times = Number(step['times'] ?? 1);
      return this.until(() => this.states.filter(({ state }) => state === step['untilState']).length >= times);
    }
    if ('missedSinceAtMost' in step) {
      const { missedSince } = this.verdicts.filter((verdict) => 'missedSince' in verdict).at(-1) as { missedSince?: Date };
      return assert(missedSince && missedSince.getTime() <= this.marks.get(String(step['missedSinceAtMost']))!, `${missedSince?.toISOString()}`);
    }
    if ('untilError' in step) return this.until(() => this.errors.some(({ code }) => code === step['untilError']));
    if ('noError' in step) return assert(this.errors.every(({ code }) => code !== step['noError']));
    return this.server.step(step);
  }

  private call(step: Step): void {
    const before = step['afterRejectionOf'];
    const start = () => {
      const name = String(step['as']);
      const call: Call = { promise: this.started(step, name) };
      this.calls.set(name, call);
      call.promise.then(
        () => this.tell(() => (call.done = true)),
        (error: EntityStreamError) => this.tell(() => (call.error = error)),
      );
    };
    if (before === undefined) start();
    else this.calls.get(String(before))!.promise.catch(start);
  }

  private started({ subscribe, entities, update, to, snapshot, since }: Step, name: string): Promise<unknown> {
    if (update !== undefined) return this.subscriptions.get(String(update))!.update(filterOf(to));
    if (entities !== undefined) {
      const collection = this.stream.entities(filterOf(entities), { name });
      const changes: [string, string][] = [];
      this.collections.set(name, { entities: collection, changes });
      collection.onChange(({ kind, before, after }) => this.tell(() => changes.push([kind, (after ?? before)!.id])));
      return collection.ready;
    }
    const options = { name, snapshot, since } as SubscribeOptions;
    const subscription = this.stream.subscribe(filterOf(subscribe), options);
    const events: string[] = [];
    this.subscriptions.set(name, subscription);
    this.events.set(name, events);
    subscription.on('error', ({ code }) => this.tell(() => this.failures.set(name, code)));
    subscription.on('event', ({ id }: EntityEvent) =>
      this.tell(() => {
        events.push(id);
        this.all.add(id);
      }),
    );
    return subscription.ready;
  }

  private close(name: string): void {
    void (this.subscriptions.get(name) ?? this.collections.get(name)?.entities)!.close();
  }

  private async untilEvents(expected: string[], of: string | undefined): Promise<void> {
    const now = () => (of === undefined ? [...this.all] : this.events.get(of)!);
    await this.until(() => now().length >= expected.length);
    assert.deepEqual([...now()].sort(), [...expected].sort());
  }

  private async untilVerdict(expected: Fields, times: number | undefined): Promise<void> {
    const matches = () => {
      const verdict = times === undefined ? this.verdicts.at(-1) : this.verdicts.length === times ? this.verdicts[times - 1] : undefined;
      return verdict !== undefined && Object.entries(expected).every(([name, value]) => (verdict as Fields)[name] === value);
    };
    await this.until(matches);
  }

  private nextToken({ behind = 0, life = 600, again, fails }: Token): string {
    if (fails) throw new Error('the login is out of order');
    if (again) return this.token;
    const iat = Date.now() / 1000 + behind;
    const parts = ['{}', JSON.stringify({ iat, exp: iat + life, jti: Math.random() }), 'signature'];
    return (this.token = parts.map((part) => Buffer.from(part).toString('base64url')).join('.'));
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

function filterOf(given: unknown): Filter {
  const { entityTypes, ...rest } = given as { entityTypes?: string[] | { repeatType: number; characters: number } };
  if (!entityTypes) return rest;
  if (Array.isArray(entityTypes)) return { ...rest, entityTypes };
  const { repeatType, characters } = entityTypes;
  return { ...rest, entityTypes: Array.from({ length: repeatType }, (_, place) => String(place).padEnd(characters, '界')) };
}
