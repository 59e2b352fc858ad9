import type { Entities } from './entities.js';
import type { Entity } from './entity.js';
import { ClosedError, type EntityStreamError } from './errors.js';
import { filterKey, filterKeyOfEntities } from './filter.js';
import type { EntitiesOptions } from './live.js';
import type { Filter } from './messages.js';
import type { EntityStream, StateChange } from './stream.js';
import type { Subscription, SubscriptionState } from './subscription.js';
import { MOST_SUBSCRIPTIONS } from './wire.js';

/** The time for which changes are gathered before components render again. */
export const FRAME_MS = 16;
/** The time for which a subscription without users stays, because a component often comes back at once. */
const LINGER_MS = 100;

export const IDLE: StateChange = { state: 'idle', previous: 'idle' };

/** The state of a collection for rendering. It never changes: each change makes another object. */
export interface EntitiesSnapshot {
  entities: readonly Entity[];
  isComplete: boolean;
  error: EntityStreamError | undefined;
}

/** The use of a thing that components share. */
export interface Use<T> {
  value: T;
  release: () => void;
}

export const NOTHING: EntitiesSnapshot = Object.freeze({ entities: Object.freeze([]), isComplete: false, error: undefined });

/** A collection, and its state for rendering. */
export class EntitiesStore {
  current = NOTHING;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private error: EntityStreamError | undefined;

  constructor(private readonly entities: Entities) {
    entities.onChange(() => this.schedule());
    entities.on('complete', (isComplete) => {
      if (isComplete) this.error = undefined;
      this.schedule();
    });
    entities.on('error', (error) => {
      this.error = error;
      this.schedule();
    });
  }

  get hasEnded(): boolean {
    return hasEnded(this.entities);
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  close(): void {
    clearTimeout(this.timer);
    void this.entities.close();
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.current = Object.freeze({ entities: Object.freeze([...this.entities.values()]), isComplete: this.entities.isComplete, error: this.error });
      for (const listener of this.listeners) listener();
    }, FRAME_MS);
  }
}

/** A subscription that several components use. */
export class SharedSubscription {
  constructor(readonly subscription: Subscription) {}

  get hasEnded(): boolean {
    return hasEnded(this.subscription);
  }

  close(): void {
    void this.subscription.close();
  }
}

interface Shareable {
  readonly hasEnded: boolean;
  close(): void;
}

interface Entry {
  value: Shareable;
  users: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The stream of a page, and the parts of it that its components share.
 *
 * Invariants:
 * - The stream is made when the first component needs it, in an effect, and so never on a server.
 * - Components with equal filters share one subscription. It is closed when none has used it for a moment.
 */
export class SharedStream {
  private stream: EntityStream | undefined;
  private change = IDLE;
  private attempt = 0;
  /** The numbers of subscriptions that were replaced while components used them, by their keys. */
  private readonly replaced = new Map<string, number>();
  private nothing = NOTHING;
  private users = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private unlisten = () => {};
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly make: () => EntityStream,
    private readonly isOwner: boolean,
  ) {}

  get state(): StateChange {
    return this.change;
  }

  /** The reason for which the stream takes no subscriptions any more. */
  get end(): EntityStreamError | undefined {
    return this.nothing.error;
  }

  /** A number that grows when the users of the events of this filter have to subscribe again. */
  attemptsOfEvents(filter: Filter): number {
    return this.attempts(eventsKey(filter));
  }

  /** A number that grows when the users of the entities of this filter have to subscribe again. */
  attemptsOfEntities(filter: Filter, hasLoad: boolean): number {
    return this.attempts(entitiesKey(filter, hasLoad));
  }

  /** Calls `listener` when the state has changed. */
  listen = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  /** Subscribes again after a failure. */
  retry = (): void => {
    this.attempt += 1;
    this.tell();
  };

  /** The stream stays until the last user releases it. That of a program is only left alone. */
  retain(): () => void {
    this.users += 1;
    clearTimeout(this.timer);
    if (!this.isOwner) {
      this.open();
      this.tell();
    }
    return () => {
      this.users -= 1;
      if (this.users === 0) this.timer = setTimeout(() => this.leave());
    };
  }

  /** `undefined` if the stream is closed. */
  subscription(filter: Filter): Use<SharedSubscription> | undefined {
    return this.share(eventsKey(filter), (stream) => new SharedSubscription(stream.subscribe(filter)));
  }

  /** `undefined` if the stream is closed. */
  entities(filter: Filter, options: EntitiesOptions): Use<EntitiesStore> | undefined {
    return this.share(entitiesKey(filter, options.load !== undefined), (stream) => new EntitiesStore(stream.entities(filter, options)));
  }

  /** The state of a collection that components use. */
  snapshot(filter: Filter, hasLoad: boolean): EntitiesSnapshot {
    return (this.entries.get(entitiesKey(filter, hasLoad))?.value as EntitiesStore | undefined)?.current ?? this.nothing;
  }

  private attempts(key: string): number {
    return this.attempt + (this.replaced.get(key) ?? 0);
  }

  private share<T extends Shareable>(key: string, make: (stream: EntityStream) => T): Use<T> | undefined {
    const before = this.entries.get(key);
    let used = before;
    if (!used || used.value.hasEnded) {
      if (this.entries.size >= MOST_SUBSCRIPTIONS) this.closeUnused();
      try {
        used = { value: make(this.open()), users: 0, timer: undefined };
      } catch (error) {
        // The program has closed its stream. An error in an effect would take the whole tree down.
        if (!(error instanceof ClosedError)) throw error;
        this.nothing = Object.freeze({ ...NOTHING, error });
        return undefined;
      }
      this.entries.set(key, used);
      if (before && before.users > 0) this.replace(key);
    }
    return this.use(key, used);
  }

  /** The other users of the failed one get the new one as well. */
  private replace(key: string): void {
    this.replaced.set(key, (this.replaced.get(key) ?? 0) + 1);
    this.tell();
  }

  private use<T extends Shareable>(key: string, used: Entry): Use<T> {
    used.users += 1;
    clearTimeout(used.timer);
    const release = () => {
      used.users -= 1;
      if (used.users === 0) used.timer = setTimeout(() => this.drop(key, used), LINGER_MS);
    };
    return { value: used.value as T, release };
  }

  private closeUnused(): void {
    for (const [key, entry] of this.entries) if (entry.users === 0) this.drop(key, entry);
  }

  private drop(key: string, entry: Entry): void {
    clearTimeout(entry.timer);
    entry.value.close();
    if (this.entries.get(key) === entry) this.entries.delete(key);
  }

  private open(): EntityStream {
    if (this.stream) return this.stream;
    const stream = (this.stream = this.make());
    this.change = { state: stream.state, previous: stream.state };
    this.unlisten = stream.on('state', (change) => {
      this.change = change;
      this.tell();
    });
    return stream;
  }

  private leave(): void {
    const { stream } = this;
    this.unlisten();
    this.stream = undefined;
    this.change = IDLE;
    for (const [key, entry] of this.entries) this.drop(key, entry);
    if (this.isOwner) void stream?.close();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

function hasEnded({ state }: { state: SubscriptionState }): boolean {
  return state === 'failed' || state === 'closed';
}

function eventsKey(filter: Filter): string {
  return `events ${filterKey(filter)}`;
}

/** A collection that the service fills is another one than that of a program's `load`. */
function entitiesKey(filter: Filter, hasLoad: boolean): string {
  return `${hasLoad ? 'loaded' : 'entities'} ${filterKeyOfEntities(filter)}`;
}
