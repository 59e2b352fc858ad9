import { MESSAGE_BYTES } from './connection.js';
import { ClosedError, type EntityStreamError, RequestError } from './errors.js';
import { Emitter } from './emitter.js';
import { EventIterator, type IteratorOptions } from './iterator.js';
import type { EntityEvent, Filter } from './messages.js';
import { type EntityStreamOptions, settings } from './options.js';
import { RecentIds } from './recent.js';
import { Subscription, requestBytes } from './subscription.js';
import { type StateDetail, type StreamState, Supervisor } from './supervisor.js';
import { onWake } from './wake.js';

/** A change of a stream's state. */
export interface StateChange extends StateDetail {
  state: StreamState;
  previous: StreamState;
}

/** The events of a stream, by name. */
export interface EntityStreamEvents {
  /** An entity has changed. */
  event: EntityEvent;
  /** The stream has changed its state. */
  state: StateChange;
  /**
   * An error occurred. The stream recovers from it by itself, unless its state is `failed`.
   */
  error: EntityStreamError;
}

/**
 * Streams the changes of a tenant's entities. The first `subscribe` connects the stream, and `close` ends the connection.
 */
export class EntityStream implements AsyncIterable<EntityEvent> {
  private readonly emitter = new Emitter<EntityStreamEvents>();
  private readonly iterators = new Set<EventIterator>();
  private readonly subscription = new Subscription();
  private readonly supervisor: Supervisor;
  private readonly recent: RecentIds;
  private readonly stopWaking: () => void;
  private readonly inGroup: boolean;
  private current: StreamState = 'idle';
  private closing: Promise<void> | undefined;

  constructor(options: EntityStreamOptions) {
    const complete = settings(options);
    this.recent = new RecentIds(complete.recentIds);
    this.inGroup = complete.groupId !== undefined;
    this.supervisor = new Supervisor(complete, this.subscription, {
      event: (event) => this.deliver(event),
      trouble: (error) => this.emitter.emit('error', error),
      state: (state, detail) => this.change(state, detail),
    });
    this.stopWaking = onWake(() => this.supervisor.wake());
  }

  /** The current state of the stream. */
  get state(): StreamState {
    return this.current;
  }

  /** Calls `listener` for each future `event`, `state` or `error`. Returns a function that removes the listener. */
  on<Name extends keyof EntityStreamEvents>(name: Name, listener: (value: EntityStreamEvents[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  /**
   * Replaces the filter. Without `filter` the stream receives every change of the tenant. Resolves with the filter of the
   * server once it is in force; every matching change that is published from then on is delivered. Rejects with a
   * `RequestError` if the server refuses the filter; the previous filter then stays in force. Rejects with the error of
   * the stream if the stream becomes `failed` or `closed`.
   */
  subscribe(filter: Filter = {}): Promise<Filter> {
    const { entityTypes, idPattern } = filter;
    // Copies the filter, so that later changes of the object have no effect.
    return this.ask({ ...(entityTypes?.length ? { entityTypes: [...entityTypes] } : {}), ...(idPattern ? { idPattern } : {}) });
  }

  /** Stops the events until the next `subscribe`. Resolves once the server has acknowledged it. */
  async unsubscribe(): Promise<void> {
    if (this.current === 'idle' || this.current === 'failed') return;
    await this.ask(undefined);
  }

  /** Returns the future events for a `for await` loop, with a buffer of its own. */
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

  /** Same as `events()`. The loop ends when the stream is closed, and throws when the stream has failed. */
  [Symbol.asyncIterator](): EventIterator {
    return this.events();
  }

  /**
   * Ends the stream. Resolves when its connections are closed. A member of a group first leaves it: events that the server has
   * already assigned to this stream still arrive until then, for `drainMs` at most.
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private ask(filter: Filter | undefined): Promise<Filter> {
    if (this.closing) return Promise.reject(new ClosedError());
    const bytes = filter && requestBytes(filter);
    if (bytes && bytes > MESSAGE_BYTES) {
      const message = `the filter makes a message of ${bytes} bytes; the server takes ${MESSAGE_BYTES}. Use fewer or shorter entity types`;
      return Promise.reject(new RequestError('limit_exceeded', message, 'subscribe'));
    }
    const accepted = this.subscription.change(filter);
    this.supervisor.proceed();
    return accepted.then(async (filter) => {
      // The caller then finds the state that belongs to the acknowledged filter.
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
    // The events that the group has assigned to this stream still arrive.
    if (this.inGroup) await stopped;
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
      // Without a listener, the program would not notice that the stream has stopped.
      if (!heard) console.error(detail.error);
      this.endIterators(detail.error);
    }
    this.emitter.emit('state', { state, previous, ...detail });
  }

  private endIterators(error: EntityStreamError | undefined): void {
    for (const iterator of [...this.iterators]) iterator.finish(error);
  }

  private deliver(event: EntityEvent): void {
    if (this.current === 'closed' || (event.id && !this.recent.isNew(event.id))) return;
    this.emitter.emit('event', event);
    for (const iterator of this.iterators) iterator.push(event);
  }
}
