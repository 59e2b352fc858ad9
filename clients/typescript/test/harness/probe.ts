import {
  AuthenticationError,
  ConnectionError,
  type Entities,
  type EntityEvent,
  type EntityFilter,
  EntityStream,
  EntityStreamError,
  type EntityStreamOptions,
  type Filter,
  type StateChange,
  type StreamState,
  type SubscribeOptions,
  type Subscription,
  type WebSocketConstructor,
} from '@entity-stream/client';

/** An error in a form that a page can send to the test. */
export interface Trouble {
  name: string;
  code: string;
  message: string;
  status: number | undefined;
}

/** A state in such a form. */
export interface Seen {
  state: StreamState;
  error: Trouble | undefined;
  missed: boolean;
  retryInMs: number | undefined;
}

/** The operations of a stream on any platform. */
export interface Probe {
  /** Subscribes, or puts another filter into the subscription that there is. */
  subscribe(filter?: Filter, options?: Omit<SubscribeOptions, 'signal'>): Promise<Filter | Trouble>;
  unsubscribe(): Promise<void>;
  /** One more subscription, whose events have its name in the list of `namesOf`. */
  also(name: string, filter: Filter): Promise<Filter | Trouble>;
  /** The ids of the events of a subscription of `also`. */
  eventsOf(name: string): Promise<string[]>;
  /** Opens a live collection, and waits until it is complete. */
  collect(filter: EntityFilter): Promise<void>;
  /** The data of each entity of the collection, by id. */
  collected(): Promise<Record<string, unknown>>;
  untilCollected(count: number): Promise<void>;
  /** The verdicts so far. */
  verdicts(): Promise<Verdict[]>;
  untilVerdicts(count: number): Promise<Verdict>;
  /** The ids of the entities of each snapshot so far. */
  untilSnapshots(count: number): Promise<string[][]>;
  wake(): Promise<void>;
  close(): Promise<void>;
  /** Resolves with the latest occurrence once the stream has entered this state `times` times. */
  untilState(state: StreamState, times?: number): Promise<Seen>;
  untilEvents(count: number): Promise<void>;
  untilEvent(id: string): Promise<void>;
  untilSockets(count: number): Promise<void>;
  untilError(code: string): Promise<Trouble>;
  events(): Promise<EntityEvent[]>;
  states(): Promise<Seen[]>;
  errors(): Promise<Trouble[]>;
  /** The URLs of all connections. */
  sockets(): Promise<string[]>;
  /** The number of received events, repeats included. */
  frames(): Promise<number>;
}

/** The verdict after a lost connection: the number of replayed events, or the reason. */
export type Verdict = { replayed: number } | { reason: string };

/** Options that can be sent to a page. `withToken` enables `getToken`. */
export type ProbeOptions = Omit<EntityStreamOptions, 'getToken' | 'WebSocket' | 'parse'> & { withToken?: boolean };

/** A stream that records its events, states and errors. */
export class Recorder implements Probe {
  private readonly stream: EntityStream;
  private readonly seen = { events: [] as EntityEvent[], states: [] as Seen[], errors: [] as Trouble[], sockets: [] as string[] };
  private frameCount = 0;
  private readonly waiting = new Set<() => void>();
  private subscription: Subscription | undefined;
  private entities: Entities | undefined;
  private readonly others = new Map<string, string[]>();
  private readonly judged: Verdict[] = [];
  private readonly snapshots: string[][] = [];

  constructor({ withToken, ...options }: ProbeOptions, WebSocket: WebSocketConstructor, nextToken: () => Promise<string>) {
    const recorder = this;
    class Recorded extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        recorder.note(() => recorder.seen.sockets.push(url));
        this.addEventListener('message', ({ data }: { data: unknown }) => {
          recorder.frameCount += String(data).split('"entityId"').length - 1;
        });
      }
    }
    this.stream = new EntityStream({ ...options, WebSocket: Recorded, ...(withToken ? { getToken: nextToken } : {}) });
    this.stream.on('event', (event) => this.note(() => this.seen.events.push(event)));
    this.stream.on('state', (change) => this.note(() => this.seen.states.push(seen(change))));
    this.stream.on('error', (error) => this.note(() => this.seen.errors.push(trouble(error))));
    this.stream.on('recovered', (verdict) => this.note(() => this.judged.push(verdict)));
    this.stream.on('notRecovered', ({ reason }) => this.note(() => this.judged.push({ reason })));
  }

  async subscribe(filter?: Filter, options?: SubscribeOptions): Promise<Filter | Trouble> {
    try {
      const { subscription } = this;
      if (subscription && (subscription.state === 'active' || subscription.state === 'pending')) return await subscription.update(filter ?? {});
      const opened = (this.subscription = this.stream.subscribe(filter, options));
      opened.on('snapshot', ({ entities }) => this.note(() => this.snapshots.push(entities.map(({ entityId }) => entityId).sort())));
      return await opened.ready;
    } catch (error) {
      return trouble(error as EntityStreamError);
    }
  }

  async unsubscribe(): Promise<void> {
    await this.subscription?.close();
  }

  async also(name: string, filter: Filter): Promise<Filter | Trouble> {
    const ids: string[] = [];
    this.others.set(name, ids);
    const subscription = this.stream.subscribe(filter, { name });
    subscription.on('event', ({ id }) => this.note(() => ids.push(id)));
    return subscription.ready.catch((error: EntityStreamError) => trouble(error));
  }

  eventsOf = (name: string) => Promise.resolve(this.others.get(name) ?? []);

  async collect(filter: EntityFilter): Promise<void> {
    this.entities = this.stream.entities(filter);
    this.entities.onChange(() => this.note(() => {}));
    this.entities.on('complete', () => this.note(() => {}));
    await this.entities.ready;
  }

  collected = () => Promise.resolve(Object.fromEntries([...(this.entities ?? [])].map(([id, { data }]) => [id, data])));
  untilCollected = (count: number) => this.until(() => this.entities?.size === count && this.entities.isComplete);
  verdicts = () => Promise.resolve(this.judged);

  async untilVerdicts(count: number): Promise<Verdict> {
    await this.until(() => this.judged.length >= count);
    return this.judged[count - 1]!;
  }

  async untilSnapshots(count: number): Promise<string[][]> {
    await this.until(() => this.snapshots.length >= count);
    return this.snapshots;
  }

  wake = () => Promise.resolve(this.stream.wake());

  close(): Promise<void> {
    return this.stream.close();
  }

  async untilState(state: StreamState, times = 1): Promise<Seen> {
    const matching = () => this.seen.states.filter((seen) => seen.state === state);
    await this.until(() => matching().length >= times);
    return matching()[times - 1]!;
  }

  untilEvents(count: number): Promise<void> {
    return this.until(() => this.seen.events.length >= count);
  }

  untilEvent(id: string): Promise<void> {
    return this.until(() => this.seen.events.some((event) => event.id === id));
  }

  untilSockets(count: number): Promise<void> {
    return this.until(() => this.seen.sockets.length >= count);
  }

  async untilError(code: string): Promise<Trouble> {
    const matching = () => this.seen.errors.find((error) => error.code === code);
    await this.until(() => matching() !== undefined);
    return matching()!;
  }

  events = () => Promise.resolve(this.seen.events);
  states = () => Promise.resolve(this.seen.states);
  errors = () => Promise.resolve(this.seen.errors);
  sockets = () => Promise.resolve(this.seen.sockets);
  frames = () => Promise.resolve(this.frameCount);

  private note(how: () => void): void {
    how();
    for (const check of [...this.waiting]) check();
  }

  private until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }
}

function trouble(error: EntityStreamError): Trouble {
  const status = error instanceof AuthenticationError || error instanceof ConnectionError ? error.status : undefined;
  return { name: error.name, code: error.code, message: error.message, status };
}

function seen({ state, error, missedSince, retryInMs }: StateChange): Seen {
  return { state, error: error && trouble(error), missed: missedSince !== undefined, retryInMs };
}
