/// <reference lib="esnext.disposable" preserve="true" />
import { checkedSignal, checkedType } from './checked.js';
import { Emitter } from './emitter.js';
import { Entities } from './entities.js';
import { ClosedError, EntityStreamError } from './errors.js';
import { checkedFilter, filterOfEntities } from './filter.js';
import { checkedIterator } from './iterator.js';
import { ENTITIES_OPTIONS, type EntitiesOptions } from './live.js';
import type { Bookmark, EntityEvent, EntityFilter, Filter } from './messages.js';
import { OnlineTime } from './online.js';
import { type EntityStreamOptions, settings } from './options.js';
import { Registry } from './registry.js';
import { Resumption } from './resumption.js';
import { Router } from './router.js';
import { SeenEvents } from './seen.js';
import { checkedSince } from './since.js';
import { type NotRecovered, type Recovered, SUBSCRIBE_OPTIONS, type SubscribeOptions, Subscription, type SubscriptionHost } from './subscription.js';
import { Subscriptions } from './subscriptions.js';
import { type StateDetail, type StreamState, Supervisor } from './supervisor.js';
import { RefusedToken, TokenClock } from './token.js';
import { refuseUnknown } from './unknown.js';
import { onWake } from './wake.js';

/** A change of a stream's state. */
export interface StateChange extends StateDetail {
  state: StreamState;
  previous: StreamState;
}

/** The events of a stream, by name. */
export interface EntityStreamEvents {
  /** An entity has changed. An event comes once for each view of the subscriptions that match. */
  event: EntityEvent;
  /** The stream has changed its state. */
  state: StateChange;
  /** After a lost connection: no event is missing. */
  recovered: Recovered;
  /** After a lost connection: events may be missing. */
  notRecovered: NotRecovered;
  /**
   * An error occurred. The stream recovers from it by itself, unless its state is `failed`.
   */
  error: EntityStreamError;
}

/**
 * Streams the changes of a tenant's entities over one connection, with any number of subscriptions. The first subscription connects
 * the stream. Without a subscription it has no connection.
 */
export class EntityStream implements AsyncDisposable {
  private readonly emitter = new Emitter<EntityStreamEvents>();
  private readonly registry = new Registry();
  private readonly resumption = new Resumption();
  private readonly time = new OnlineTime();
  private readonly supervisor: Supervisor;
  private readonly host: SubscriptionHost;
  private readonly stopWaking: () => void;
  private readonly debug: ReturnType<typeof settings>['debug'];
  private current: StreamState = 'idle';
  private closing: Promise<void> | undefined;

  constructor(options: EntityStreamOptions) {
    const complete = settings(options);
    this.debug = complete.debug;
    const { registry, resumption } = this;
    const router = new Router(registry, resumption, new SeenEvents(this.time), (event) => this.emitter.emit('event', event));
    const subscriptions = new Subscriptions(registry, resumption, complete, (verdict, replayed) => {
      if (verdict.recovered) this.emitter.emit('recovered', { replayed });
      else this.emitter.emit('notRecovered', { reason: verdict.reason, missedSince: verdict.missedSince });
    });
    const trouble = (error: EntityStreamError) => this.emitter.emit('error', error);
    const context = {
      settings: complete,
      clock: new TokenClock(),
      refused: new RefusedToken(),
      trouble,
      events: (link: Parameters<Router['take']>[0]) => ({
        entity: (message: Parameters<Router['take']>[1]) => router.take(link, message),
        synced: (position: unknown) => {
          if (link.takesPositions) resumption.seen(position);
        },
        unreadable: (kind: string) => trouble(new EntityStreamError('unreadable', `a message of the server was skipped: parse threw ${kind}`)),
        withoutHistory: () => resumption.withoutHistory(),
        hasPosition: () => resumption.bookmark !== undefined,
      }),
    };
    this.supervisor = new Supervisor(context, subscriptions, resumption, {
      trouble,
      state: (state, detail) => this.change(state, detail),
      online: (isOnline) => (isOnline ? this.time.online() : this.time.offline()),
    });
    const isMember = complete.groupId !== undefined;
    const isHeard = () => this.emitter.has('error') || this.emitter.has('state');
    this.host = { registry, tenant: complete.tenant.toLowerCase(), isMember, isHeard, proceed: () => this.supervisor.proceed() };
    this.stopWaking = onWake(() => this.wake());
  }

  /** The current state of the stream. */
  get state(): StreamState {
    return this.current;
  }

  /**
   * The place of the stream in the history, for a program that stores it and passes it as `since` after a restart. `undefined` before
   * the first answer, and with a service without a history.
   */
  get bookmark(): Bookmark | undefined {
    return this.resumption.bookmark;
  }

  /** Calls `listener` for each future occurrence. Returns a function that removes the listener. */
  on<Name extends keyof EntityStreamEvents>(name: Name, listener: (value: EntityStreamEvents[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  /** Calls `listener` for the next occurrence. */
  once<Name extends keyof EntityStreamEvents>(name: Name, listener: (value: EntityStreamEvents[Name]) => void): () => void {
    return this.emitter.once(name, listener);
  }

  off<Name extends keyof EntityStreamEvents>(name: Name, listener: (value: EntityStreamEvents[Name]) => void): void {
    this.emitter.off(name, listener);
  }

  /** Subscribes to the changes that match. Without a filter, every change of the tenant matches. Connects if necessary. */
  subscribe<Data = Record<string, unknown>>(filter: Filter = {}, options: SubscribeOptions = {}): Subscription<Data> {
    refuseUnknown('a subscription', options, SUBSCRIBE_OPTIONS);
    checkedIterator(options);
    checkedType('snapshot', options.snapshot, 'boolean');
    const since = checkedSince(options.since);
    this.check(options, options.snapshot ? 'snapshots' : since ? 'past events' : undefined);
    return new Subscription<Data>(this.host, checkedFilter(filter), { ...options, since });
  }

  /** Keeps the entities that match in a collection, which follows their changes. Without a filter, those are all of the tenant. */
  entities<Data = Record<string, unknown>>(filter: EntityFilter = {}, options: EntitiesOptions = {}): Entities<Data> {
    refuseUnknown('a collection', options, ENTITIES_OPTIONS);
    checkedType('load', options.load, 'function');
    checkedType('servicePath', options.servicePath, 'string');
    checkedType('wholeEntity', options.wholeEntity, 'boolean');
    if (options.wholeEntity === false && !options.load) throw new TypeError('wholeEntity: false needs load: without entity state the service has no snapshot');
    this.check(options, options.load ? undefined : 'snapshots; pass load');
    return new Entities<Data>(this.host, filterOfEntities(filter, options.wholeEntity), { ...options }, this.time);
  }

  /**
   * Tells the stream that the network may be back: it checks its connection, or tries again at once. In a browser it notices this by
   * itself. React Native and Electron can call it when the application becomes active.
   */
  wake(): void {
    this.supervisor.wake();
  }

  /**
   * Ends the stream and its subscriptions. Resolves when its connections are closed. A member of a group first leaves it: events that
   * the server has already assigned to this stream still arrive until then, for `drainMs` at most.
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private check({ name, signal }: Pick<SubscribeOptions, 'name' | 'signal'>, notForGroups: string | undefined): void {
    if (this.closing) throw new ClosedError();
    checkedSignal(signal);
    checkedType('name', name, 'string');
    if (this.host.isMember && notForGroups !== undefined) throw new TypeError(`a member of a group has no ${notForGroups}`);
    if (name === undefined) return;
    if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(name)) throw new TypeError('name has to be 1 to 64 characters of A-Z a-z 0-9 _ - . :');
    if (!this.registry.isFree(name)) throw new TypeError(`the stream has a subscription with the name \`${name}\` already`);
  }

  private async shutDown(): Promise<void> {
    this.stopWaking();
    const stopped = this.supervisor.stop();
    // The events that the group has assigned to this stream still arrive.
    if (this.host.isMember) await stopped;
    this.registry.abandon(new ClosedError());
    this.change('closed', {});
    await stopped;
  }

  private change(state: StreamState, detail: StateDetail): void {
    const previous = this.current;
    if (previous === 'closed' || (state === previous && state === 'idle')) return;
    this.current = state;
    this.debug({ kind: 'state', what: state, ...(detail.error ? { error: detail.error.code } : {}) });
    this.emitter.emit('state', { state, previous, ...detail });
  }
}
