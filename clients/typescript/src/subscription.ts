/// <reference lib="esnext.disposable" preserve="true" />
import { Emitter } from './emitter.js';
import { ClosedError, EntityStreamError, type OverflowError, asError } from './errors.js';
import { checkedFilter } from './filter.js';
import { EventIterator, ITERATOR_OPTIONS, type IteratorOptions, checkedIterator } from './iterator.js';
import type { EntityEvent, EntitySnapshot, Filter, Frame, NotRecoveredReason, Since } from './messages.js';
import type { Registry } from './registry.js';
import { refuseUnknown } from './unknown.js';
import type { Receiver, Wire } from './wire.js';

/** The options of a subscription. The buffer of its loops is among them. */
export interface SubscribeOptions extends IteratorOptions {
  /** The name on the wire, 1 to 64 characters of `A-Z a-z 0-9 _ - . :`. By default the client generates one. */
  name?: string | undefined;
  /** `true`: the entities that match come first, as the event `snapshot`. It comes again if events may be missing. */
  snapshot?: boolean | undefined;
  /** The past events to begin with: those of the last seconds, or those since a stored bookmark. */
  since?: Since | undefined;
  /** Closes the subscription when it aborts. */
  signal?: AbortSignal | undefined;
}

export const SUBSCRIBE_OPTIONS: readonly (keyof SubscribeOptions)[] = ['name', 'snapshot', 'since', 'signal', 'capacity', 'overflow'];

/** Every event that a lost connection missed has been delivered. */
export interface Recovered {
  /** The number of events that came from the history. */
  replayed: number;
}

/** Events may be missing. */
export interface NotRecovered {
  reason: NotRecoveredReason;
  /** The time since which events may be missing, if a connection was lost. */
  missedSince: Date | undefined;
}

/** The state of a subscription: it waits for the server, is in force, or has ended. */
export type SubscriptionState = 'pending' | 'active' | 'failed' | 'closed';

/** The events of a subscription, by name. */
export interface SubscriptionEvents<Data> {
  event: EntityEvent<Data>;
  /** All entities that match at the moment, with `snapshot: true`. */
  snapshot: { entities: readonly EntitySnapshot<Data>[] };
  /** After a lost connection: no event is missing. */
  recovered: Recovered;
  /** After a lost connection: events may be missing. With `snapshot: true` a snapshot follows. */
  notRecovered: NotRecovered;
  state: SubscriptionState;
  /** The subscription has failed, or a loop was too slow. */
  error: EntityStreamError;
}

/** The parts of a stream that a subscription uses. @internal */
export interface SubscriptionHost {
  registry: Registry;
  /** The tenant, as events have it. */
  tenant: string;
  /** True for a member of a group, to which the server may have assigned events that have not arrived. */
  isMember: boolean;
  /** The registry has changes. */
  proceed(): void;
  /** True if the program listens to the errors of the stream. */
  isHeard(): boolean;
}

let ids = 0;

/** The events that match a filter. {@link EntityStream.subscribe} opens it. */
export class Subscription<Data = Record<string, unknown>> implements AsyncIterable<EntityEvent<Data>>, AsyncDisposable {
  private readonly first: Promise<Filter>;
  private isAwaited = false;
  private readonly emitter = new Emitter<SubscriptionEvents<Data>>();
  private readonly iterators = new Set<EventIterator<EntityEvent<Data>>>();
  private readonly receiver: Receiver;
  private readonly items = new Map<string, EntitySnapshot<Data>>();
  private current: SubscriptionState = 'pending';
  private wire: Wire;
  private end: Error | undefined;
  private closing: Promise<void> | undefined;
  private unlisten = () => {};

  /** @internal */
  constructor(
    private readonly host: SubscriptionHost,
    filter: Filter,
    private readonly options: SubscribeOptions,
    private readonly watcher: Partial<Receiver> = {},
  ) {
    this.receiver = this.receive();
    const { snapshot = false, since, signal } = options;
    const beginning = since && { since, askedAt: performance.now() };
    this.wire = { name: options.name ?? host.registry.newName(), filter, snapshot, since: beginning, receiver: this.receiver };
    const accepted = signal?.aborted ? Promise.reject(new ClosedError()) : host.registry.add(this.wire);
    this.first = accepted.then((filter) => {
      if (this.end) throw this.end;
      return filter;
    });
    // A program may not await it. The listeners of `error` get the reason.
    this.first.catch((error: unknown) => this.fail(asError(error)));
    const abort = () => void this.close();
    signal?.addEventListener('abort', abort);
    this.unlisten = () => signal?.removeEventListener('abort', abort);
    if (signal?.aborted) this.finish('closed', undefined);
    else host.proceed();
  }

  /** Resolves with the filter of the server once it is in force. Rejects if the server refuses it, or if it is closed before. */
  get ready(): Promise<Filter> {
    this.isAwaited = true;
    return this.first;
  }

  /** The name on the wire, which events have in `subscriptions`. It changes with each `update`. */
  get name(): string {
    return this.wire.name;
  }

  get state(): SubscriptionState {
    return this.current;
  }

  /** Calls `listener` for each future occurrence. Returns a function that removes the listener. */
  on<Name extends keyof SubscriptionEvents<Data>>(name: Name, listener: (value: SubscriptionEvents<Data>[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  /** Calls `listener` for the next occurrence. */
  once<Name extends keyof SubscriptionEvents<Data>>(name: Name, listener: (value: SubscriptionEvents<Data>[Name]) => void): () => void {
    return this.emitter.once(name, listener);
  }

  off<Name extends keyof SubscriptionEvents<Data>>(name: Name, listener: (value: SubscriptionEvents<Data>[Name]) => void): void {
    this.emitter.off(name, listener);
  }

  /** The future events for a `for await` loop, with a buffer of its own. */
  events(options?: IteratorOptions): EventIterator<EntityEvent<Data>> {
    if (options !== undefined) refuseUnknown('a loop', options, ITERATOR_OPTIONS);
    checkedIterator(options ?? {});
    const report = (error: OverflowError) => this.emitter.emit('error', error);
    const iterator = new EventIterator<EntityEvent<Data>>(options ?? this.options, report, (ended) => void this.iterators.delete(ended));
    if (this.end) iterator.finish(this.current === 'failed' ? this.end : undefined);
    else this.iterators.add(iterator);
    return iterator;
  }

  /** Same as `events()`. The loop ends when the subscription is closed, and throws when it has failed. */
  [Symbol.asyncIterator](): EventIterator<EntityEvent<Data>> {
    return this.events();
  }

  /**
   * Puts another filter in force. The client adds the new one before it removes the old one: no event that matches both is missed or
   * comes twice. Resolves with the filter of the server. If the server refuses the new filter, rejects, and the old one stays.
   */
  update(filter: Filter): Promise<Filter> {
    if (this.end) return Promise.reject(this.end);
    const checked = checkedFilter(filter);
    const accepted = this.host.registry.replace(this.wire, checked);
    this.host.proceed();
    return accepted;
  }

  /** Ends the subscription. Resolves when the server has removed it. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async shutDown(): Promise<void> {
    if (this.end) return;
    const removed = this.host.registry.remove(this.receiver);
    if (!this.host.isMember) this.finish('closed', undefined);
    this.host.proceed();
    await removed;
    this.finish('closed', undefined);
  }

  private receive(): Receiver {
    const { watcher } = this;
    return {
      id: (ids += 1),
      began: () => watcher.began?.(),
      accepted: (wire) => {
        this.wire = wire;
        this.change('active');
        watcher.accepted?.(wire);
      },
      event: (event) => {
        if (this.end) return;
        watcher.event?.(event);
        this.emitter.emit('event', event as unknown as EntityEvent<Data>);
        for (const iterator of this.iterators) iterator.push(event as unknown as EntityEvent<Data>);
      },
      snapshotItem: (item) => {
        if (this.end) return;
        watcher.snapshotItem?.(item);
        if (!watcher.snapshotItem) this.items.set(keyOf(item), item as unknown as EntitySnapshot<Data>);
      },
      snapshotRestarted: () => this.items.clear(),
      snapshotComplete: () => {
        if (this.end) return;
        watcher.snapshotComplete?.();
        const entities = [...this.items.values()];
        this.items.clear();
        this.emitter.emit('snapshot', { entities });
      },
      recovered: (replayed) => {
        watcher.recovered?.(replayed);
        this.emitter.emit('recovered', { replayed });
      },
      notRecovered: (reason, missedSince) => {
        watcher.notRecovered?.(reason, missedSince);
        this.emitter.emit('notRecovered', { reason: reason as NotRecoveredReason, missedSince });
      },
      lost: () => {
        this.items.clear();
        watcher.lost?.();
      },
      failed: (error) => this.fail(error),
    };
  }

  private fail(error: Error): void {
    if (this.end) return;
    if (error instanceof ClosedError) return this.finish('closed', undefined);
    const isHeard = this.isAwaited || this.iterators.size > 0 || this.emitter.has('error') || this.host.isHeard();
    // Without a listener, the program would not notice that the subscription has ended.
    if (!isHeard) console.error(error);
    this.finish('failed', error);
    this.watcher.failed?.(error);
    const known = error instanceof EntityStreamError ? error : new EntityStreamError('internal', error.message, { cause: error });
    this.emitter.emit('error', known);
  }

  private finish(state: 'closed' | 'failed', error: Error | undefined): void {
    if (this.end) return;
    this.end = error ?? new ClosedError();
    this.unlisten();
    this.items.clear();
    this.change(state);
    for (const iterator of [...this.iterators]) iterator.finish(error);
  }

  private change(state: SubscriptionState): void {
    if (this.current === state || this.current === 'closed' || this.current === 'failed') return;
    this.current = state;
    this.emitter.emit('state', state);
  }
}

function keyOf({ entityId, servicePath }: Frame): string {
  return JSON.stringify([entityId, servicePath]);
}
