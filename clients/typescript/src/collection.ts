import { type Entity, entityKey, isEqual, isOlder, versionOf } from './entity.js';
import { Held } from './held.js';
import type { Frame } from './messages.js';
import { type Feed, isUnclear, shownBy } from './shown.js';

/** The time online for which the versions of entities that are gone are remembered, and the most of them. */
const TIME_MS = 15 * 60_000;
const MOST = 100_000;

/** A change of a collection. */
export type EntityChange<Data = Record<string, unknown>> =
  | { readonly kind: 'added'; readonly before: undefined; readonly after: Entity<Data> }
  | { readonly kind: 'updated'; readonly before: Entity<Data>; readonly after: Entity<Data> }
  | { readonly kind: 'removed'; readonly before: Entity<Data>; readonly after: undefined };

/** An entity that is gone. */
interface Gone {
  version: number;
  time: number;
  /** False if it may only match the filter no longer. */
  isDeleted: boolean;
}

/**
 * The entities that match a filter, without I/O.
 *
 * Invariants:
 * - A message never replaces what is newer, also if the entity is gone. So the order in which messages arrive, and their repetition,
 *   make no difference. In a collection that is loaded, this holds for each attribute.
 * - At the end of a snapshot, or of a load, the collection holds exactly the entities that match: those of the snapshot, those that
 *   messages since its beginning have added or changed, and no others.
 * - The changes that it returns lead from each of its states to the next.
 */
export class Collection {
  readonly held = new Map<string, Held>();
  /** The last versions of entities that are gone, the oldest first. */
  private readonly gone = new Map<string, Gone>();
  /** The entities that messages have removed since the last beginning, while a snapshot or a load may follow. */
  private removedSince: Set<string> | undefined;
  /** The entities that another load has to show, with the greatest version of the messages that did not tell what has changed. */
  private readonly unclear = new Map<string, number>();
  /** Those before the load that is under way. It knows of these changes, and of all before them. */
  private readonly included = new Map<string, number>();
  private beginnings = 0;

  constructor(
    private readonly online: { at(): number },
    private readonly feed: Feed,
  ) {}

  /** True if another load has to show what messages did not tell. */
  get isInDoubt(): boolean {
    return this.unclear.size > 0;
  }

  /** An empty collection for another filter. Late messages do not bring entities back that were deleted. */
  successor(feed: Feed): Collection {
    const other = new Collection(this.online, feed);
    for (const [key, gone] of this.gone) if (gone.isDeleted) other.gone.set(key, gone);
    return other;
  }

  /** The changes that lead from this collection to its successor. An entity that is the same in both stays the same object. */
  changesTo({ held }: Collection): EntityChange[] {
    const changes: EntityChange[] = [];
    for (const [key, { entity }] of this.held) if (!held.has(key)) changes.push({ kind: 'removed', before: entity, after: undefined });
    for (const [key, now] of held) {
      const before = this.held.get(key)?.entity;
      const after = now.entity;
      if (!before) changes.push({ kind: 'added', before, after });
      else if (isEqual(before, after)) now.keep(before);
      else changes.push({ kind: 'updated', before, after });
    }
    return changes;
  }

  /** Entities that neither the next snapshot nor a later message shows are gone. */
  begin(): void {
    this.beginnings += 1;
    this.removedSince = new Set();
    for (const [key, version] of this.unclear) this.included.set(key, Math.max(version, this.included.get(key) ?? 0));
    this.unclear.clear();
    for (const [key, held] of this.held) held.begin(this.included.get(key));
  }

  /** Neither a snapshot nor a load follows the last beginning: the events since the connection before have come. */
  recovered(): void {
    this.removedSince = undefined;
  }

  /** Takes a message about an entity. */
  apply(message: Frame): EntityChange | undefined {
    this.forget();
    const key = entityKey(String(message['tenant']), String(message['servicePath']), String(message['entityId']));
    if (this.feed.loads && this.has(key, versionOf(message))) return undefined;
    if (isUnclear(message, this.feed)) {
      if (this.isAfterEnd(key, message)) this.noteUnclear(key, versionOf(message));
      return undefined;
    }
    const isEnd = message['type'] === 'entityDeleted' || message['type'] === 'entityLeft';
    return isEnd ? this.remove(key, message) : this.put(key, message);
  }

  /** The snapshot is complete. Removes the entities that it lacks. */
  complete(): EntityChange[] {
    this.removedSince = undefined;
    const lacking = [...this.held].filter(([, { shownIn }]) => shownIn < this.beginnings);
    return lacking.map(([key, { entity }]) => {
      this.held.delete(key);
      if (entity.version !== undefined) this.bury(key, entity.version, false);
      return { kind: 'removed', before: entity, after: undefined };
    });
  }

  /** Takes the entities of another source, which was read after the beginning. Changes by messages since then stay. */
  load(entities: readonly Entity[]): EntityChange[] {
    const changes: EntityChange[] = [];
    const keys = new Set<string>();
    const take = (held: Held, loaded: Entity | undefined) => {
      const before = held.entity;
      if (held.load(loaded, this.beginnings)) changes.push({ kind: 'updated', before, after: held.entity });
    };
    for (const loaded of entities) {
      const key = entityKey(loaded.tenant, loaded.servicePath, loaded.id);
      if (this.removedSince?.has(key)) continue;
      keys.add(key);
      const held = this.held.get(key);
      if (held) take(held, loaded);
      else {
        const added = Held.loaded(loaded, this.beginnings, this.gone.get(key)?.version, this.included.get(key));
        this.gone.delete(key);
        this.held.set(key, added);
        changes.push({ kind: 'added', before: undefined, after: added.entity });
      }
    }
    changes.push(...this.complete());
    // It was gone when the entities were read, and messages have made it again.
    for (const [key, held] of this.held) if (!keys.has(key)) take(held, undefined);
    for (const [key, version] of this.included) if (!this.held.has(key)) this.bury(key, version, false);
    this.included.clear();
    return changes;
  }

  private remove(key: string, message: Frame): EntityChange | undefined {
    const version = versionOf(message);
    const isDeleted = message['type'] === 'entityDeleted';
    const held = this.held.get(key);
    const before = held?.entity;
    const known = before?.version;
    if (held && before && version !== undefined && known !== undefined && version < known) {
      // Newer changes have shown only some of the attributes that the entity has after this end.
      if (this.feed.loads) {
        held.include(version);
        this.noteUnclear(key, known);
      }
      return undefined;
    }
    this.removedSince?.add(key);
    const last = known === undefined ? version : Math.max(known, version ?? known);
    if (last !== undefined) this.bury(key, last, isDeleted);
    if (!before) return undefined;
    this.held.delete(key);
    return { kind: 'removed', before, after: undefined };
  }

  private put(key: string, message: Frame): EntityChange | undefined {
    const held = this.held.get(key);
    if (!held) return this.add(key, message);
    const before = held.entity;
    const [version, known] = [versionOf(message), before.version];
    if (!this.feed.loads && version !== undefined && known !== undefined && version <= known) {
      // The snapshot shows that the entity is there, though a newer change of it is known.
      if (message['type'] === 'entitySnapshot') held.shownIn = this.beginnings;
      return undefined;
    }
    const isChanged = held.take(message, shownBy(message, this.feed), this.beginnings);
    return isChanged ? { kind: 'updated', before, after: held.entity } : undefined;
  }

  private add(key: string, message: Frame): EntityChange | undefined {
    if (!this.isAfterEnd(key, message)) return undefined;
    const gone = this.gone.get(key)?.version;
    const shown = shownBy(message, this.feed);
    // The load that is under way may have the entity as it was before its end.
    const isAgain = this.removedSince?.delete(key) === true;
    if (isAgain && this.feed.loads && shown.what !== 'whole') this.noteUnclear(key, versionOf(message));
    this.gone.delete(key);
    const held = Held.shown(message, shown, this.beginnings, gone, this.included.get(key));
    this.held.set(key, held);
    return { kind: 'added', before: undefined, after: held.entity };
  }

  /** True if a load has shown this change, or will. */
  private has(key: string, version: number | undefined): boolean {
    const isLoading = this.removedSince !== undefined;
    return this.held.get(key)?.has(version, isLoading) ?? (isLoading && isOlder(version, this.included.get(key)));
  }

  /** True if the entity is not gone, or the message is newer than its end. */
  private isAfterEnd(key: string, message: Frame): boolean {
    const [version, gone] = [versionOf(message), this.gone.get(key)];
    if (!gone) return true;
    // Without a version, only the creation of an entity that was deleted is certainly newer.
    return version === undefined ? !gone.isDeleted || message['type'] === 'entityCreated' : version > gone.version;
  }

  /** A message does not tell what has changed. */
  private noteUnclear(key: string, version = 0): void {
    this.unclear.set(key, Math.max(version, this.unclear.get(key) ?? 0));
  }

  /** The entity is gone since this version. */
  private bury(key: string, version: number, isDeleted: boolean): void {
    const known = this.gone.get(key);
    const last = known && known.version > version ? known : { version, isDeleted };
    // A key that is set again keeps its place in the order, so it is removed first.
    this.gone.delete(key);
    this.gone.set(key, { ...last, time: this.online.at() });
  }

  private forget(): void {
    const now = this.online.at();
    for (const [key, { time }] of this.gone) {
      if (now - time <= TIME_MS && this.gone.size <= MOST) break;
      this.gone.delete(key);
    }
  }
}
