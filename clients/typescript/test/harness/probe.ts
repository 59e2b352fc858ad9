import {
  AuthenticationError,
  ConnectionError,
  type EntityEvent,
  EntityStream,
  EntityStreamError,
  type EntityStreamOptions,
  type Filter,
  type StateChange,
  type StreamState,
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
  subscribe(filter?: Filter): Promise<Filter | Trouble>;
  unsubscribe(): Promise<void>;
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
  /** The number of received event frames, repeats included. */
  frames(): Promise<number>;
}

/** Options that can be sent to a page. `withToken` enables `getToken`. */
export type ProbeOptions = Omit<EntityStreamOptions, 'getToken' | 'WebSocket' | 'parse'> & { withToken?: boolean };

/** A stream that records its events, states and errors. */
export class Recorder implements Probe {
  private readonly stream: EntityStream;
  private readonly seen = { events: [] as EntityEvent[], states: [] as Seen[], errors: [] as Trouble[], sockets: [] as string[] };
  private frameCount = 0;
  private readonly waiting = new Set<() => void>();

  constructor({ withToken, ...options }: ProbeOptions, WebSocket: WebSocketConstructor, nextToken: () => Promise<string>) {
    const recorder = this;
    class Recorded extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        recorder.note(() => recorder.seen.sockets.push(url));
        this.addEventListener('message', ({ data }: { data: unknown }) => {
          if (String(data).includes('"entityId"')) recorder.frameCount += 1;
        });
      }
    }
    this.stream = new EntityStream({ ...options, WebSocket: Recorded, ...(withToken ? { getToken: nextToken } : {}) });
    this.stream.on('event', (event) => this.note(() => this.seen.events.push(event)));
    this.stream.on('state', (change) => this.note(() => this.seen.states.push(seen(change))));
    this.stream.on('error', (error) => this.note(() => this.seen.errors.push(trouble(error))));
  }

  subscribe(filter?: Filter): Promise<Filter | Trouble> {
    return this.stream.subscribe(filter).catch((error: EntityStreamError) => trouble(error));
  }

  unsubscribe(): Promise<void> {
    return this.stream.unsubscribe();
  }

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
