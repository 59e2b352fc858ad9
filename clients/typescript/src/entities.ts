/// <reference lib="esnext.disposable" preserve="true" />
import { checkedType } from './checked.js';
import { Collection, type EntityChange } from './collection.js';
import { Emitter } from './emitter.js';
import { type Entity, entityKey } from './entity.js';
import { ClosedError, type EntityStreamError } from './errors.js';
import { filterOfEntities } from './filter.js';
import type { EntitiesOptions, EntitiesUpdateOptions } from './live.js';
import type { EntityFilter, Filter } from './messages.js';
import type { OnlineTime } from './online.js';
import { feedOf } from './shown.js';
import { Source, type SourceOwner } from './source.js';
import type { SubscriptionHost, SubscriptionState } from './subscription.js';
import { shielded } from './uncaught.js';
import { refuseUnknown } from './unknown.js';
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
 * {@link EntityStream.entities} opens it. An entity leaves the collection if it is deleted, and if a change makes it no longer match
 * `q` or `geoQ`. An entity that the service has forgotten, or that has lost the types of the filter, leaves with the next snapshot or load.
 */
export class Entities<Data = Record<string, unknown>> implements Iterable<[string, Entity<Data>]>, AsyncDisposable {
  private readonly emitter = new Emitter<EntitiesEvents<Data>>();
  private readonly views = new Set<EntityView<Data>>();
  /** The keys of the entities with an id: one for each service path. */
  private readonly byId = new Map<string, Set<string>>();
  private readonly completed: Promise<void>;
  private resolve!: () => void;
  private reject!: (error: unknown) => void;
  private source: Source;
  /** The source that takes the place of the present one once it has every entity, and the call that waits for it. */
  private next: { source: Source; resolve(): void; reject(error: Error): void } | undefined;
  /** Settles after the last update. */
  private updates: Promise<void> = Promise.resolve();
  private end: Error | undefined;
  private hasAll = false;
  private isAwaited = false;

  /** @internal */
  constructor(
    private readonly host: SubscriptionHost,
    filter: Filter,
    private readonly options: EntitiesOptions,
    online: OnlineTime,
  ) {
    this.completed = new Promise((resolve, reject) => ([this.resolve, this.reject] = [resolve, reject]));
    this.completed.catch(() => {});
    this.source = this.open(new Collection(online, feedOf(filter, options.load !== undefined)), filter, options);
    // A program can end it inside of its constructor.
    if (this.state === 'closed') this.finish(new ClosedError());
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
    return this.source.subscription.state;
  }

  /** The number of entities. */
  get size(): number {
    return this.source.collection.held.size;
  }

  /** The entity with this id. An id may exist in several service paths; without `servicePath`, this is one of them. */
  get(id: string, servicePath?: string): Entity<Data> | undefined {
    for (const key of this.byId.get(id) ?? []) {
      const entity = this.source.collection.held.get(key)?.entity;
      if (entity && (servicePath === undefined || entity.servicePath === servicePath)) return entity as Entity<Data>;
    }
    return undefined;
  }

  has(id: string, servicePath?: string): boolean {
    return this.get(id, servicePath) !== undefined;
  }

  *values(): IterableIterator<Entity<Data>> {
    for (const { entity } of this.source.collection.held.values()) yield entity as Entity<Data>;
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

  /**
   * Exchanges the filter: entities that do not match any more leave, and those that match now are added. Until the collection has every
   * entity that matches the new filter, it follows the old one, so it misses nothing. Resolves then. If the server refuses the new
   * filter, rejects, and the old one stays. With `load`, this function returns the entities from now on.
   */
  update(filter: EntityFilter, options: EntitiesUpdateOptions = {}): Promise<void> {
    refuseUnknown('an update', options, ['load']);
    checkedType('load', options.load, 'function');
    if (options.load && !this.options.load) throw new TypeError('the collection has no load: the snapshot of the service fills it');
    const chosen = filterOfEntities(filter, this.options.wholeEntity);
    const updated = this.updates.then(() => this.exchange(chosen, options.load));
    this.updates = updated.catch(() => {});
    return updated;
  }

  /** Ends the collection. It keeps its last entities. */
  async close(): Promise<void> {
    await Promise.all([this.source.close(), this.next?.source.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private open(collection: Collection, filter: Filter, options: EntitiesOptions): Source {
    return new Source(this.owner, this.host, collection, filter, options);
  }

  private readonly owner: SourceOwner = {
    told: (source, changes) => {
      if (source === this.source) this.apply(changes);
    },
    complete: (source) => {
      if (source.isComplete && source === this.next?.source) this.exchanged(this.next);
      if (source === this.source) this.change(source.isComplete);
    },
    state: (source, state) => {
      if (state === 'closed') this.ended(source, new ClosedError());
      if (source === this.source) this.emitter.emit('state', state);
    },
    failed: (source, error) => this.ended(source, error),
    error: (source, error) => {
      const hasFailed = source.subscription.state === 'failed';
      // The call of `update` tells the program.
      if (hasFailed && source !== this.source) return;
      // Without a listener, the program would not notice that the collection has ended.
      if (hasFailed && !this.isAwaited && !this.emitter.has('error') && !this.host.isHeard()) console.error(error);
      this.emitter.emit('error', error);
    },
  };

  private exchange(filter: Filter, load: EntitiesOptions['load']): Promise<void> {
    if (this.end) return Promise.reject(this.end);
    const name = this.host.registry.newName(this.options.name);
    const options = { ...this.source.options, name, ...(load ? { load } : {}) };
    return new Promise((resolve, reject) => {
      const source = this.open(this.source.collection.successor(feedOf(filter, options.load !== undefined)), filter, options);
      this.next = { source, resolve, reject };
      if (source.subscription.state === 'closed') this.ended(source, new ClosedError());
    });
  }

  /** The next source has every entity that matches. */
  private exchanged({ source, resolve }: { source: Source; resolve(): void }): void {
    const old = this.source;
    this.next = undefined;
    this.source = source;
    this.apply(old.collection.changesTo(source.collection));
    void old.close();
    resolve();
  }

  private ended(source: Source, error: Error): void {
    const { next } = this;
    if (source === this.source) this.finish(error);
    else if (source === next?.source) {
      this.next = undefined;
      next.reject(error);
    }
  }

  private finish(error: Error): void {
    this.end ??= error;
    this.reject(error);
    const { next } = this;
    this.next = undefined;
    next?.reject(error);
    void next?.source.close();
  }

  private apply(changes: readonly EntityChange[]): void {
    for (const each of changes) this.index(each);
    for (const each of changes as readonly EntityChange<Data>[]) {
      for (const view of this.views) shielded(() => view.take(each));
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
    if (isComplete) this.resolve();
    if (this.hasAll === isComplete) return;
    this.hasAll = isComplete;
    this.emitter.emit('complete', isComplete);
  }
}
