import { type Entity, entityAfter, entityKey, isEqual, isWhole, versionOf } from './entity.js';
import type { Frame } from './messages.js';

/** The time online for which the versions of entities that are gone are remembered, and the most of them. */
const TIME_MS = 15 * 60_000;
const MOST = 100_000;

/** A change of a collection. */
export type EntityChange<Data = Record<string, unknown>> =
  | { readonly kind: 'added'; readonly before: undefined; readonly after: Entity<Data> }
  | { readonly kind: 'updated'; readonly before: Entity<Data>; readonly after: Entity<Data> }
  | { readonly kind: 'removed'; readonly before: Entity<Data>; readonly after: undefined };

interface Held {
  entity: Entity;
  /** The beginning after which a message last showed that the entity is there. */
  shownIn: number;
}

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
 * - A message never replaces an entity by an older version, also if the entity is gone. So the order in which messages
 *   arrive, and their repetition, make no difference.
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
  /** The messages since then about entities of which no message since then had the whole. `undefined` for the others. */
  private partsSince: Map<string, Frame[] | undefined> | undefined;
  private beginnings = 0;

  /** With `merges`, messages have only the attributes that were published. */
  constructor(
    private readonly online: { at(): number },
    private readonly merges = false,
  ) {}

  /** An empty collection for another filter. Late messages do not bring entities back that were deleted. */
  successor(): Collection {
    const other = new Collection(this.online, this.merges);
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
      else if (isEqual(before, after)) now.entity = before;
      else changes.push({ kind: 'updated', before, after });
    }
    return changes;
  }

  /** Entities that neither the next snapshot nor a later message shows are gone. */
  begin(): void {
    this.beginnings += 1;
    this.removedSince = new Set();
    this.partsSince = new Map();
  }

  /** Neither a snapshot nor a load follows the last beginning: the events since the connection before have come. */
  recovered(): void {
    this.removedSince = this.partsSince = undefined;
  }

  /** Takes a message about an entity. */
  apply(message: Frame): EntityChange | undefined {
    this.forget();
    const key = entityKey(String(message['tenant']), String(message['servicePath']), String(message['entityId']));
    const isEnd = message['type'] === 'entityDeleted' || message['type'] === 'entityLeft';
    return isEnd ? this.remove(key, message) : this.put(key, message);
  }

  /** The snapshot is complete. Removes the entities that it lacks. */
  complete(): EntityChange[] {
    this.removedSince = this.partsSince = undefined;
    const lacking = [...this.held].filter(([, { shownIn }]) => shownIn < this.beginnings);
    return lacking.map(([key, { entity }]) => {
      this.held.delete(key);
      if (entity.version !== undefined) this.bury(key, entity.version, false);
      return { kind: 'removed', before: entity, after: undefined };
    });
  }

  /** Takes the entities of another source, which was read after the beginning. Changes by messages since then stay. */
  load(entities: readonly Entity[]): EntityChange[] {
    const changes = entities.flatMap((loaded): EntityChange[] => {
      const key = entityKey(loaded.tenant, loaded.servicePath, loaded.id);
      const held = this.held.get(key);
      if (this.removedSince?.has(key)) return [];
      const isShown = held?.shownIn === this.beginnings;
      const parts = isShown ? this.partsSince?.get(key) : [];
      if (!parts) return [];
      const { data, partial } = parts.reduce<Entity>((entity, message) => entityAfter(entity, message, this.merges), loaded);
      const { version, timestamp } = (isShown && held?.entity) || { ...loaded, version: held?.entity.version ?? this.gone.get(key)?.version };
      const after = Object.freeze({ ...loaded, data, partial, version, timestamp });
      this.gone.delete(key);
      this.held.set(key, { entity: after, shownIn: this.beginnings });
      return [held ? { kind: 'updated', before: held.entity, after } : { kind: 'added', before: undefined, after }];
    });
    return [...changes, ...this.complete()];
  }

  private remove(key: string, message: Frame): EntityChange | undefined {
    const version = versionOf(message);
    const held = this.held.get(key);
    const known = held?.entity.version;
    if (version !== undefined && known !== undefined && version < known) return undefined;
    this.removedSince?.add(key);
    this.partsSince?.delete(key);
    const last = known === undefined ? version : Math.max(known, version ?? known);
    if (last !== undefined) this.bury(key, last, message['type'] === 'entityDeleted');
    if (!held) return undefined;
    this.held.delete(key);
    return { kind: 'removed', before: held.entity, after: undefined };
  }

  private put(key: string, message: Frame): EntityChange | undefined {
    const held = this.held.get(key);
    if (!held) return this.add(key, message);
    const [version, known] = [versionOf(message), held.entity.version];
    if (version !== undefined && known !== undefined && version <= known) {
      // The snapshot shows that the entity is there, though a newer change of it is known.
      if (message['type'] === 'entitySnapshot') held.shownIn = this.beginnings;
      return undefined;
    }
    const before = held.entity;
    const after = entityAfter(before, message, this.merges);
    this.held.set(key, { entity: after, shownIn: this.beginnings });
    this.note(key, message);
    return { kind: 'updated', before, after };
  }

  private add(key: string, message: Frame): EntityChange | undefined {
    const [version, gone] = [versionOf(message), this.gone.get(key)?.version];
    // Without a version, only the creation of an entity that was there before is certainly newer than its end.
    const isNew = gone === undefined || (version === undefined ? message['type'] === 'entityCreated' : version > gone);
    if (!isNew) return undefined;
    this.gone.delete(key);
    this.removedSince?.delete(key);
    const entity = entityAfter(undefined, message, this.merges);
    this.note(key, message);
    const after = version === undefined && gone !== undefined ? Object.freeze({ ...entity, version: gone }) : entity;
    this.held.set(key, { entity: after, shownIn: this.beginnings });
    return { kind: 'added', before: undefined, after };
  }

  /** Notes a message for the load that may follow. */
  private note(key: string, message: Frame): void {
    const parts = this.partsSince;
    if (!parts) return;
    if (isWhole(message, this.merges)) parts.set(key, undefined);
    else if (!parts.has(key)) parts.set(key, [message]);
    else parts.get(key)?.push(message);
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
