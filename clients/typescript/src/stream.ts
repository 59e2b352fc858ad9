import { ClosedError, type EntityStreamError } from './errors.js';
import { Emitter } from './emitter.js';
import { EventIterator, type IteratorOptions } from './iterator.js';
import type { EntityEvent, Filter } from './messages.js';
import { type EntityStreamOptions, settings } from './options.js';
import { RecentIds } from './recent.js';
import { Subscription } from './subscription.js';
import { type StateDetail, type StreamState, Supervisor } from './supervisor.js';
import { onWake } from './wake.js';

/** A change of a stream's state. */
export interface StateChange extends StateDetail {
  state: StreamState;
  previous: StreamState;
}

/** What a stream tells its listeners. */
export interface EntityStreamEvents {
  /** An entity has changed. */
  event: EntityEvent;
  /** The stream is in another state. */
  state: StateChange;
  /**
   * Something went wrong. Whether it is being dealt with says the state: `failed` is the one in which nothing happens by
   * itself any more.
   */
  error: EntityStreamError;
}

/**
 * The changes of a tenant's entities, as they happen. Connects when `subscribe` is called, and stays connected until
 * `close` is.
 */
export class EntityStream implements AsyncIterable<EntityEvent> {
  private readonly emitter = new Emitter<EntityStreamEvents>();
  private readonly iterators = new Set<EventIterator>();
  private readonly subscription = new Subscription();
  private readonly supervisor: Supervisor;
  private readonly recent: RecentIds;
  private readonly stopWaking: () => void;
  private current: StreamState = 'idle';
  private closing: Promise<void> | undefined;

  constructor(options: EntityStreamOptions) {
    const complete = settings(options);
    this.recent = new RecentIds(complete.recentIds);
    this.supervisor = new Supervisor(complete, this.subscription, {
      event: (event) => this.deliver(event),
      trouble: (error) => this.emitter.emit('error', error),
      state: (state, detail) => this.change(state, detail),
    });
    this.stopWaking = onWake(() => this.supervisor.wake());
  }

  /** Where the stream is. */
  get state(): StreamState {
    return this.current;
  }

  /** Calls `listener` for each `event`, `state` or `error` from now on. Returns what ends that. */
  on<Name extends keyof EntityStreamEvents>(name: Name, listener: (value: EntityStreamEvents[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  /**
   * Receives the changes that match `filter`, all of the tenant's without one, instead of those that were subscribed to
   * before. Resolves with the filter as the server has it, once it is in force there: every matching change that is
   * published from then on is delivered. Rejects with a `RequestError` if the server does not accept the filter, and the
   * one before remains; and with whatever error it is that makes the stream `failed` or `closed`.
   */
  subscribe(filter: Filter = {}): Promise<Filter> {
    const { entityTypes, idPattern } = filter;
    // A copy: what the caller does with the object later is no change of the filter.
    return this.ask({ ...(entityTypes?.length ? { entityTypes: [...entityTypes] } : {}), ...(idPattern ? { idPattern } : {}) });
  }

  /** Receives nothing any more until the next `subscribe`. Resolves once the server has said so. */
  async unsubscribe(): Promise<void> {
    if (this.current === 'idle' || this.current === 'failed') return;
    await this.ask(undefined);
  }

  /** The events from now on, for a `for await` loop, with a buffer of its own. */
  events(options: IteratorOptions = {}): EventIterator {
    const iterator = new EventIterator(
      options,
      (error) => this.emitter.emit('error', error),
      (ended) => void this.iterators.delete(ended),
    );
    if (this.closing) iterator.finish(undefined);
    else this.iterators.add(iterator);
    return iterator;
  }

  /** As `events()`: the loop ends when the stream is closed, and throws when it has failed. */
  [Symbol.asyncIterator](): EventIterator {
    return this.events();
  }

  /** Ends the stream. Resolves when its connections are closed. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private ask(filter: Filter | undefined): Promise<Filter> {
    if (this.closing) return Promise.reject(new ClosedError());
    const accepted = this.subscription.change(filter);
    this.supervisor.proceed();
    return accepted.then(async (filter) => {
      // So that whoever awaited this finds the state that it stands for.
      if (this.current === 'connecting') {
        await new Promise<void>((resolve) => {
          const stop = this.on('state', () => (stop(), resolve()));
        });
      }
      return filter;
    });
  }

  private async shutDown(): Promise<void> {
    this.stopWaking();
    const stopped = this.supervisor.stop();
    this.subscription.abandon(new ClosedError());
    this.change('closed', {});
    this.endIterators(undefined);
    await stopped;
  }

  private change(state: StreamState, detail: StateDetail): void {
    const previous = this.current;
    if (previous === 'closed') return;
    this.current = state;
    if (state === 'failed') {
      const heard = this.iterators.size > 0 || this.emitter.has('error') || this.emitter.has('state');
      // A stream that has stopped for good, and nobody would know.
      if (!heard) console.error(detail.error);
      this.endIterators(detail.error);
    }
    this.emitter.emit('state', { state, previous, ...detail });
  }

  private endIterators(error: EntityStreamError | undefined): void {
    for (const iterator of [...this.iterators]) iterator.finish(error);
  }

  private deliver(event: EntityEvent): void {
    if (this.closing || (event.id && !this.recent.isNew(event.id))) return;
    this.emitter.emit('event', event);
    for (const iterator of this.iterators) iterator.push(event);
  }
}
