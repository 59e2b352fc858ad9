import { checkedNumber, checkedType } from './checked.js';
import { Emitter } from './emitter.js';
import type { EntityChange } from './collection.js';
import type { Entity } from './entity.js';
import { refuseUnknown } from './unknown.js';

/** The options of a view. */
export interface ViewOptions<Data> {
  /** The order. Entities that are equal in it are in the order of their ids. By default all are. */
  sort?: ((a: Entity<Data>, b: Entity<Data>) => number) | undefined;
  /** The entities of the view; by default all. */
  filter?: ((entity: Entity<Data>) => boolean) | undefined;
  /** The most entities; the first in the order stay. */
  limit?: number | undefined;
}

export const VIEW_OPTIONS: readonly (keyof ViewOptions<unknown>)[] = ['sort', 'filter', 'limit'];

/** Throws for an invalid option of a view. */
export function checkedView({ sort, filter, limit }: ViewOptions<never>): void {
  checkedType('sort', sort, 'function');
  checkedType('filter', filter, 'function');
  checkedNumber('limit', limit, 0);
}

/**
 * A sorted part of a collection.
 *
 * Invariant: `all` has the entities that pass the filter, each once, in the order, and `members` has the same. A change costs one search and one move, and not
 * another sort. `values` is another array after each change of it, and never changes itself.
 */
export class EntityView<Data = Record<string, unknown>> implements Iterable<Entity<Data>> {
  private readonly emitter = new Emitter<{ change: readonly Entity<Data>[] }>();
  private readonly all: Entity<Data>[];
  private readonly members: Set<Entity<Data>>;
  private shown: readonly Entity<Data>[] | undefined;

  /** @internal */
  constructor(
    entities: Iterable<Entity<Data>>,
    private readonly options: ViewOptions<Data>,
    private readonly onClose: (view: EntityView<Data>) => void,
  ) {
    refuseUnknown('a view', options, VIEW_OPTIONS);
    checkedView(options);
    this.all = [...entities].filter((entity) => this.passes(entity)).sort(this.compare);
    this.members = new Set(this.all);
  }

  /** The entities in the order. */
  get values(): readonly Entity<Data>[] {
    this.shown ??= Object.freeze(this.all.slice(0, this.options.limit ?? this.all.length));
    return this.shown;
  }

  get size(): number {
    return this.values.length;
  }

  [Symbol.iterator](): Iterator<Entity<Data>> {
    return this.values[Symbol.iterator]();
  }

  /** Calls `listener` with `values` after each change of them. Returns a function that removes the listener. */
  onChange(listener: (values: readonly Entity<Data>[]) => void): () => void {
    return this.emitter.on('change', listener);
  }

  /** The view follows the collection no longer. */
  close(): void {
    this.onClose(this);
  }

  /** Takes a change of the collection. @internal */
  take({ before, after }: EntityChange<Data>): void {
    const limit = this.options.limit ?? Infinity;
    // The filter may depend on more than the entity, so it tells nothing of the past.
    const removed = before && this.members.has(before) ? this.remove(before) : -1;
    // A view that was made during the delivery of several changes has the results of all of them.
    const added = after && !this.members.has(after) && this.passes(after) ? this.insert(after) : -1;
    // Entities beyond the limit are not shown.
    const isShown = [removed, added].some((place) => place >= 0 && place < limit);
    if (!isShown) return;
    this.shown = undefined;
    this.emitter.emit('change', this.values);
  }

  private passes(entity: Entity<Data>): boolean {
    return this.options.filter?.(entity) ?? true;
  }

  private insert(entity: Entity<Data>): number {
    const place = this.search(entity);
    this.all.splice(place, 0, entity);
    this.members.add(entity);
    return place;
  }

  private remove(entity: Entity<Data>): number {
    let place = this.search(entity);
    // An order that depends on more than the entities may have changed.
    if (this.all[place] !== entity) place = this.all.indexOf(entity);
    this.all.splice(place, 1);
    this.members.delete(entity);
    return place;
  }

  /** The place of the first entity that is not before this one. */
  private search(entity: Entity<Data>): number {
    let [low, high] = [0, this.all.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(this.all[middle]!, entity) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private readonly compare = (a: Entity<Data>, b: Entity<Data>): number =>
    (this.options.sort?.(a, b) ?? 0) || order(a.id, b.id) || order(a.servicePath, b.servicePath);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
