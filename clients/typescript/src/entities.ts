/// <reference lib="esnext.disposable" preserve="true" />
import { Collection, type EntityChange } from './collection.js';
import { Emitter } from './emitter.js';
import { type Entity, entityKey } from './entity.js';
import { ClosedError, type EntityStreamError } from './errors.js';
import { type EntitiesOptions, Loader, entityOf } from './live.js';
import type { Filter, Frame } from './messages.js';
import type { OnlineTime } from './online.js';
import { Subscription, type SubscriptionHost, type SubscriptionState } from './subscription.js';
import { EntityView, type ViewOptions } from './view.js';

/** The events of a live collection, by name. */
export interface EntitiesEvents<Data> {
  change: EntityChange<Data>;
  /** The collection holds every entity that matches: `true` after each connection, `false` when the connection is lost. */
  complete: boolean;
  state: SubscriptionState;
  /** The subscription has failed, or `load` has failed and is tried again. */
  error: EntityStreamError;
}

/**
 * The entities that match a filter, kept up to date: a snapshot of the service, or `load`, fills the collection, and events follow.
 * {@link EntityStream.entities} opens it. An entity leaves the collection if it is deleted, if a change makes it no longer match, and
 * if the service has forgotten it.
 */
export class Entities<Data = Record<string, unknown>> implements Iterable<[string, Entity<Data>]>, AsyncDisposable {
  private readonly emitter = new Emitter<EntitiesEvents<Data>>();
  private readonly collection: Collection;
  private readonly subscription: Subscription<Data>;
  private readonly views = new Set<EntityView<Data>>();
  private readonly loader: Loader | undefined;
  /** The keys of the entities with an id: one for each service path. */
  private readonly byId = new Map<string, Set<string>>();
  private readonly completed: Promise<void>;
  private resolve!: () => void;
  private reject!: (error: unknown) => void;
  private hasAll = false;
  private isAwaited = false;
  /** True if the collection has been complete. */
  private wasFilled = false;

  /** @internal */
  constructor(host: SubscriptionHost, filter: Filter, options: EntitiesOptions, online: OnlineTime) {
    this.collection = new Collection(online);
    const { load, servicePath = '/', name, signal } = options;
    if (load) {
      const loaded = (entities: readonly Parameters<typeof entityOf>[0][]) => {
        this.apply(this.collection.load(entities.map((entity) => entityOf(entity, host.tenant, servicePath))));
        this.change(true);
      };
      this.loader = new Loader(load, loaded, (error) => this.emitter.emit('error', error));
    }
    this.completed = new Promise((resolve, reject) => ([this.resolve, this.reject] = [resolve, reject]));
    this.completed.catch(() => {});
    this.subscription = new Subscription<Data>(host, filter, { name, signal, snapshot: !load }, {
      began: () => this.collection.begin(),
      accepted: () => this.loader?.start(),
      event: (event) => this.take(event),
      snapshotItem: (item) => this.take(item),
      snapshotComplete: () => {
        this.apply(this.collection.complete());
        this.change(true);
      },
      recovered: () => {
        if (this.wasFilled) this.change(true);
        // The lost connection has interrupted a load.
        else this.loader?.start();
      },
      notRecovered: () => {
        if (!this.loader) return;
        this.wasFilled = false;
        this.loader.start();
      },
      failed: (error) => this.reject(error),
      lost: () => {
        this.loader?.stop();
        this.change(false);
      },
    });
    this.subscription.on('state', (state) => {
      if (state === 'closed' || state === 'failed') {
        this.loader?.stop();
        this.change(false);
      }
      if (state === 'closed') this.reject(new ClosedError());
      this.emitter.emit('state', state);
    });
    this.subscription.on('error', (error) => {
      // Without a listener, the program would not notice that the collection has ended.
      if (!this.isAwaited && !this.emitter.has('error') && !host.isHeard()) console.error(error);
      this.emitter.emit('error', error);
    });
  }

  /** Resolves once the collection holds every entity that matches. Rejects if the server refuses the filter, or if it is closed before. */
  get ready(): Promise<void> {
    this.isAwaited = true;
    return this.completed;
  }

  /** True if the collection holds every entity that matches, and is connected. */
  get isComplete(): boolean {
    return this.hasAll;
  }

  get state(): SubscriptionState {
    return this.subscription.state;
  }

  /** The number of entities. */
  get size(): number {
    return this.collection.held.size;
  }

  /** The entity with this id. An id may exist in several service paths; without `servicePath`, this is one of them. */
  get(id: string, servicePath?: string): Entity<Data> | undefined {
    for (const key of this.byId.get(id) ?? []) {
      const entity = this.collection.held.get(key)?.entity;
      if (entity && (servicePath === undefined || entity.servicePath === servicePath)) return entity as Entity<Data>;
    }
    return undefined;
  }

  has(id: string, servicePath?: string): boolean {
    return this.get(id, servicePath) !== undefined;
  }

  *values(): IterableIterator<Entity<Data>> {
    for (const { entity } of this.collection.held.values()) yield entity as Entity<Data>;
  }

  /** The ids. */
  *keys(): IterableIterator<string> {
    for (const { id } of this.values()) yield id;
  }

  /** Each id with its entity. */
  *entries(): IterableIterator<[string, Entity<Data>]> {
    for (const entity of this.values()) yield [entity.id, entity];
  }

  [Symbol.iterator](): IterableIterator<[string, Entity<Data>]> {
    return this.entries();
  }

  forEach(callback: (entity: Entity<Data>, id: string) => void): void {
    for (const [id, entity] of this) callback(entity, id);
  }

  /** Calls `listener` for each future occurrence. Returns a function that removes the listener. */
  on<Name extends keyof EntitiesEvents<Data>>(name: Name, listener: (value: EntitiesEvents<Data>[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  once<Name extends keyof EntitiesEvents<Data>>(name: Name, listener: (value: EntitiesEvents<Data>[Name]) => void): () => void {
    return this.emitter.once(name, listener);
  }

  off<Name extends keyof EntitiesEvents<Data>>(name: Name, listener: (value: EntitiesEvents<Data>[Name]) => void): void {
    this.emitter.off(name, listener);
  }

  /** Calls `listener` with each change, in order. Returns a function that removes the listener. */
  onChange(listener: (change: EntityChange<Data>) => void): () => void {
    return this.emitter.on('change', listener);
  }

  /** A sorted part of the collection, which follows its changes until it is closed. */
  view(options: ViewOptions<Data> = {}): EntityView<Data> {
    const view = new EntityView(this.values(), options, (closed) => void this.views.delete(closed));
    this.views.add(view);
    return view;
  }

  /** Ends the collection. It keeps its last entities. */
  close(): Promise<void> {
    return this.subscription.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private take(message: Frame): void {
    const change = this.collection.apply(message);
    if (change) this.apply([change]);
  }

  private apply(changes: readonly EntityChange[]): void {
    for (const each of changes) this.index(each);
    for (const each of changes as readonly EntityChange<Data>[]) {
      for (const view of this.views) view.take(each);
      this.emitter.emit('change', each);
    }
  }

  private index({ before, after }: EntityChange): void {
    const { id, servicePath, tenant } = (after ?? before) as Entity;
    const key = entityKey(tenant, servicePath, id);
    const keys = this.byId.get(id) ?? new Set();
    if (after) this.byId.set(id, keys.add(key));
    else if (keys.delete(key) && keys.size === 0) this.byId.delete(id);
  }

  private change(isComplete: boolean): void {
    if (isComplete) {
      this.wasFilled = true;
      this.resolve();
    }
    if (this.hasAll === isComplete) return;
    this.hasAll = isComplete;
    this.emitter.emit('complete', isComplete);
  }
}
