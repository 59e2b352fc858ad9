import { type Entity, greatest, isEqual, isOlder, versionOf } from './entity.js';
import type { Frame } from './messages.js';
import type { Shown } from './shown.js';

/** The last message about an attribute. */
interface Mark {
  version: number | undefined;
  /** The beginning after which it came. */
  since: number;
}

/**
 * An entity of a collection, with what is known of the age of its attributes.
 *
 * Invariants:
 * - A message never replaces a value of the same or a newer version, removed attributes included. So the order of messages makes no
 *   difference. A message without a version counts as the newest.
 * - `floor` is the version of all attributes without a mark. None of the marks with a version is older.
 */
export class Held {
  private floor: number | undefined;
  private readonly marks = new Map<string, Mark>();
  /** The last message that did not have what it changed. */
  private lack: Mark | undefined;
  /** True if a message, or a load, has shown all attributes. */
  private isWhole = false;
  /** The beginning after which a message has shown all attributes. */
  private wholeIn: number | undefined;
  /** The version at the last beginning. */
  private begunAt: number | undefined;
  /** The beginning after which a message, or a load, last showed that the entity is there. */
  shownIn = -1;

  private constructor(private now: Entity) {}

  /** The entity of a message. Its former end had the version `floor`, and the last beginning came after the version `begunAt` of it. */
  static shown(message: Frame, shown: Shown, beginning: number, floor: number | undefined, begunAt: number | undefined): Held {
    const { tenant, servicePath, entityId, entityType, timestamp } = message;
    const held = new Held({
      id: String(entityId), type: entityType as string, tenant: String(tenant), servicePath: String(servicePath),
      data: {}, version: floor, timestamp: String(timestamp), partial: true,
    });
    held.floor = floor;
    held.begunAt = greatest(floor, begunAt);
    held.take(message, shown, beginning);
    return held;
  }

  /** A loaded entity. Its former end had the version `floor`, and the load began after the version `begunAt` of it. */
  static loaded(entity: Entity, beginning: number, floor: number | undefined, begunAt: number | undefined): Held {
    const held = new Held(Object.freeze({ ...entity, version: floor }));
    held.floor = held.begunAt = greatest(floor, begunAt);
    held.isWhole = true;
    held.shownIn = beginning;
    return held;
  }

  get entity(): Entity {
    return this.now;
  }

  /** Another object of the same entity takes the place of this one, because views know it by the object. */
  keep(entity: Entity): void {
    this.now = entity;
  }

  /** A snapshot or a load begins, which has all changes up to the version `included`. */
  begin(included: number | undefined): void {
    this.begunAt = greatest(this.now.version, included);
  }

  /** Takes a message about the entity. Returns false if it changes nothing. */
  take(message: Frame, { what, attributes, removed, isPartial }: Shown, beginning: number): boolean {
    const version = versionOf(message);
    const isNewer = version === undefined || this.now.version === undefined || version > this.now.version;
    const mark = { version, since: beginning };
    this.shownIn = beginning;
    let isChanged = isNewer;
    let data = attributes;
    if (what !== 'whole' || !isNewer || isOlder(version, this.floor) || this.marks.size > 0) {
      const values = new Map(Object.entries(this.now.data));
      const set = (name: string, change: () => unknown) => {
        if (isOlder(version, this.versionOf(name))) return;
        change();
        isChanged = true;
        if (what !== 'whole') this.marks.set(name, { ...mark, version: version ?? this.marks.get(name)?.version });
      };
      const isGone = (name: string) => what === 'whole' && !Object.hasOwn(attributes, name);
      for (const name of [...removed, ...[...values.keys()].filter(isGone)]) set(name, () => values.delete(name));
      for (const [name, value] of Object.entries(attributes)) set(name, () => values.set(name, value));
      data = Object.fromEntries(values);
    }
    const isCurrent = !isOlder(version, this.floor);
    if (isCurrent && what === 'nothing' && !isOlder(version, this.lack?.version)) this.lack = mark;
    if (isCurrent && what === 'whole') this.raise(mark, !isPartial);
    isChanged ||= this.now.partial !== this.isPartial;
    if (isChanged) this.become(data, isNewer ? message : undefined);
    return isChanged;
  }

  /** True if it has this change and all before it, or if the load that is under way has them. */
  has(version: number | undefined, isLoading: boolean): boolean {
    return isOlder(version, isLoading ? greatest(this.floor, this.begunAt) : this.floor);
  }

  /** Changes up to this version make no difference any more. */
  include(version: number): void {
    this.floor = greatest(this.floor, version);
    for (const [name, mark] of this.marks) if (isOlder(mark.version, version)) this.marks.delete(name);
  }

  /**
   * Takes the entity of a load, or nothing if the load lacks it. Only what messages have shown since the beginning stays. Returns false if
   * it changes nothing.
   */
  load(loaded: Entity | undefined, beginning: number): boolean {
    if (this.wholeIn === beginning) return false;
    const data = new Map(Object.entries(loaded?.data ?? {}));
    for (const [name, { since }] of this.marks) {
      if (since !== beginning) this.marks.delete(name);
      else if (Object.hasOwn(this.now.data, name)) data.set(name, this.now.data[name]);
      else data.delete(name);
    }
    if (this.lack?.since !== beginning) this.lack = undefined;
    this.floor = greatest(this.floor, this.begunAt);
    this.isWhole = loaded !== undefined;
    const before = this.now;
    const { type, timestamp } = this.shownIn === beginning || !loaded ? before : loaded;
    this.now = { ...before, type, timestamp };
    this.shownIn = beginning;
    this.become(Object.fromEntries(data), undefined);
    const isSame = before.partial === this.now.partial && isEqual(before.type, type) && isEqual(before.data, this.now.data);
    if (isSame) this.now = before;
    return !isSame;
  }

  /** All attributes have this version, but for those with newer marks. */
  private raise({ version, since }: Mark, isWhole: boolean): void {
    this.isWhole = isWhole;
    if (version === undefined || this.lack?.version === undefined || version >= this.lack.version) this.lack = undefined;
    if (isWhole) this.wholeIn = since;
    for (const [name, mark] of this.marks) if (mark.version === undefined) this.marks.delete(name);
    if (version !== undefined) this.include(version);
  }

  private become(data: Record<string, unknown>, message: Frame | undefined): void {
    const { now } = this;
    const version = message && versionOf(message);
    this.now = Object.freeze({
      ...now,
      type: message ? (message['entityType'] as string | string[]) : now.type,
      timestamp: message ? String(message['timestamp']) : now.timestamp,
      version: version ?? now.version,
      data,
      partial: this.isPartial,
    });
  }

  private get isPartial(): boolean {
    return !this.isWhole || this.lack !== undefined;
  }

  private versionOf(name: string): number | undefined {
    return greatest(this.floor, this.marks.get(name)?.version);
  }
}
