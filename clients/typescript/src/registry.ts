import { ClosedError, RequestError } from './errors.js';
import type { Bookmark, Filter, Since } from './messages.js';
import { type Beginning, isSameSince, wireSince } from './since.js';
import { type Receiver, type Wire, excess } from './wire.js';

/** A change of the subscriptions that the program wants. */
export type Change = Addition | Removal;

/** A new subscription, or another filter for one. `wasTooSoon` is true if the server has refused its `since` by a limit. */
export interface Addition {
  kind: 'add' | 'replace';
  wire: Wire;
  resolve(inForce: Filter): void;
  reject(error: Error): void;
  wasTooSoon?: true;
}

/** The removal of a subscription. `later` is there if the server could not serve it: the time of the next attempt, and the wait before it. */
export interface Removal {
  kind: 'remove';
  wire: Pick<Wire, 'name' | 'receiver'>;
  resolve(): void;
  later?: { at: number; ms: number };
}

/** The waits between two attempts to remove a subscription, after the first attempts. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/**
 * The subscriptions of one stream and the changes of them.
 *
 * Invariants:
 * - `accepted` holds what the server has accepted. It changes only by an answer of the server, or while there is no connection.
 * - The changes of one receiver take effect in their order. A change leaves the queue once: it is accepted, refused or abandoned.
 * - A removal that the server cannot serve holds up no other change, and a removed name is not restored.
 * - A name belongs to one receiver from the moment a message has it until the server has refused or removed it.
 */
export class Registry {
  private readonly accepted = new Map<string, Wire>();
  private readonly routes = new Map<string, Receiver>();
  private readonly owed = new Set<string>();
  private readonly underWay = new Set<string>();
  private changes: Change[] = [];
  private names = 0;

  /** The subscriptions that a connection restores. */
  get restored(): Wire[] {
    return [...this.accepted.values()];
  }

  /** True if the program wants a subscription. */
  get isWanted(): boolean {
    return this.planned().length > 0;
  }

  /** The receivers of the subscriptions that the server has accepted. */
  get receivers(): Receiver[] {
    return [...new Set(this.restored.map(({ receiver }) => receiver))];
  }

  /** The receiver of the events that have this name. */
  receiverOf(name: string): Receiver | undefined {
    return this.routes.get(name);
  }

  /** All receivers. */
  get routed(): Receiver[] {
    return [...new Set(this.routes.values())];
  }

  isAccepted(receiver: Receiver): boolean {
    return this.restored.some((wire) => wire.receiver === receiver);
  }

  /** True if the program still wants the subscription of one of these. */
  isAnyWanted(receivers: ReadonlySet<Receiver>): boolean {
    return this.planned().some(({ receiver }) => receivers.has(receiver));
  }

  /** True if no other subscription has, or will have, this name. */
  isFree(name: string): boolean {
    return !this.planned().some((wire) => wire.name === name);
  }

  /** A name that no other subscription has. */
  newName(base?: string): string {
    for (;;) {
      this.names += 1;
      const name = base === undefined ? `s${this.names}` : `${base.replace(/:\d+$/, '').slice(0, 48)}:${this.names}`;
      if (this.isFree(name) && !this.routes.has(name)) return name;
    }
  }

  /** Adds a subscription. Rejects at once if the connection cannot have so many, or such large ones. */
  add(wire: Wire): Promise<Filter> {
    return this.enqueue('add', wire);
  }

  /** Puts another filter in the place of a receiver's subscription. */
  replace(current: Wire, filter: Filter): Promise<Filter> {
    const wire = { ...current, filter, since: undefined };
    const both = { ...wire, name: this.newName(current.name) };
    // A full connection has no place for both. The server then exchanges the subscription of the same name.
    return this.enqueue('replace', excess([...this.planned(), both]) === undefined ? both : wire);
  }

  /** Removes the subscription of a receiver. Resolves when the server has removed it, or does not have it. */
  remove(receiver: Receiver): Promise<void> {
    for (const change of this.changes.filter(({ wire }) => wire.receiver === receiver)) {
      if (change.kind === 'remove' || this.underWay.has(change.wire.name)) continue;
      this.drop(change);
      change.reject(new ClosedError());
    }
    // If an exchange is under way, the server may have one or both.
    const wires = [...this.restored, ...this.planned()].filter((wire) => wire.receiver === receiver);
    const names = [...new Set(wires.map(({ name }) => name))];
    return Promise.all(
      names.map((name) => new Promise<void>((resolve) => this.changes.push({ kind: 'remove', wire: { name, receiver }, resolve }))),
    ).then(() => {});
  }

  /** The next change to send. Those with `since` wait if `mayResume` is false. */
  next(mayResume: boolean): Change | undefined {
    const waiting = new Set<Receiver>();
    return this.changes.find((change) => {
      if (change.kind === 'remove' && change.later) return change.later.at <= performance.now();
      const isFirst = !waiting.has(change.wire.receiver);
      const mustWait = change.kind === 'add' && change.wire.since !== undefined && !mayResume;
      if (mustWait) waiting.add(change.wire.receiver);
      return isFirst && !mustWait;
    });
  }

  /** True if a message about subscriptions has been sent and not been answered. */
  get isUnderWay(): boolean {
    return this.underWay.size > 0;
  }

  /** True if a change waits. */
  get hasChanges(): boolean {
    return this.changes.length > 0;
  }

  /** The time until `next` has a change, in milliseconds: `Infinity` for none. Those with `since` wait for `resumesInMs`. */
  nextInMs(resumesInMs: number): number {
    const now = performance.now();
    const waits = this.changes.map((change) => (change.kind === 'remove' && change.later ? Math.max(0, change.later.at - now) : resumesInMs));
    return Math.min(Infinity, ...waits);
  }

  /** The server cannot remove a subscription at the moment. The client tries again later. With `isOver`, the program is told that it is over. */
  postpone(change: Removal, isOver: boolean): void {
    const ms = change.later ? Math.min(LONGEST_WAIT_MS, change.later.ms * 2) : FIRST_WAIT_MS;
    change.later = { at: performance.now() + ms, ms };
    if (!isOver) return;
    this.forget(change.wire.name);
    change.resolve();
  }

  /** There is no connection: requests under way have to be sent again, and removals are done. */
  disconnected(): void {
    this.underWay.clear();
    for (const change of this.changes.filter(({ kind }) => kind === 'remove')) {
      for (const added of this.changes.filter((one) => one.kind !== 'remove' && one.wire.name === change.wire.name && one.wire.receiver === change.wire.receiver)) {
        this.drop(added);
        if (added.kind !== 'remove') added.reject(new ClosedError());
      }
      this.removed(change);
    }
  }

  /**
   * The subscriptions of the first message of a connection, and the events that it asks for. Those that begin with other
   * events than the rest follow in messages of their own. If `isCautious`, so do all new ones, except for one if there are no others.
   */
  opening(bookmark: Bookmark | undefined, isCautious = false): { wires: Wire[]; since: Since | undefined } {
    const wires = this.restored;
    // The first one that asked reaches back the furthest.
    let first: Beginning | undefined;
    for (const { kind, wire } of this.changes) {
      if (kind !== 'add' || (isCautious && wires.length > 0)) continue;
      if (wire.since && bookmark) continue;
      if (wire.since && first && !isSameSince(wire.since, first)) continue;
      first ??= wire.since;
      wires.push(wire);
    }
    return { wires, since: bookmark ?? (first && wireSince(first)) };
  }

  /** A message with these subscriptions is about to be sent. */
  begin(wires: readonly Wire[]): void {
    for (const { name, receiver } of wires) {
      this.routes.set(name, receiver);
      this.underWay.add(name);
    }
    for (const receiver of new Set(wires.map(({ receiver }) => receiver))) receiver.began();
  }

  /** The server has accepted these subscriptions. Returns the changes that are done, to be resolved with the filter in force. */
  accept(wires: readonly Wire[]): Addition[] {
    return wires.flatMap((wire) => {
      const change = this.changeOf(wire);
      this.accepted.set(wire.name, wire);
      this.underWay.delete(wire.name);
      if (!change) return [];
      this.drop(change);
      this.taken(wire.name);
      if (wire.snapshot) this.owed.add(wire.name);
      const leaving = new Set(this.changes.filter(({ kind }) => kind === 'remove').map(({ wire: { name } }) => name));
      const old = this.restored.find(({ name, receiver }) => receiver === wire.receiver && name !== wire.name && !leaving.has(name));
      if (change.kind === 'replace' && old) this.changes.unshift({ kind: 'remove', wire: old, resolve: () => {} });
      wire.receiver.accepted(wire);
      return [change];
    });
  }

  /** The server has refused a new subscription, perhaps because another `since` was a moment ago. It is sent once more. */
  tooSoon(change: Addition): void {
    change.wasTooSoon = true;
    this.underWay.delete(change.wire.name);
    this.forget(change.wire.name);
  }

  /** The server has refused a subscription. One that is there already stays if only its change was refused. */
  refuse(wire: Wire, error: Error): void {
    const change = this.changeOf(wire);
    if (change) this.drop(change);
    this.underWay.delete(wire.name);
    if (change?.kind === 'replace') {
      if (!this.accepted.has(wire.name)) this.routes.delete(wire.name);
      return change.reject(error);
    }
    this.forget(wire.name);
    change?.reject(error);
    for (const other of this.changes.filter((one) => one.wire.receiver === wire.receiver)) {
      this.drop(other);
      if (other.kind === 'remove') other.resolve();
      else other.reject(error);
    }
    wire.receiver.failed(error);
  }

  /** The subscription that is at fault for the refusal of a message: the one with this name, or else the newest of several. */
  atFault(wires: readonly Wire[], name: string | undefined): Wire | undefined {
    const named = wires.find((wire) => wire.name === name);
    const added = wires.filter((wire) => this.changeOf(wire));
    return named ?? added.at(-1) ?? (wires.length === 1 ? wires[0] : undefined);
  }

  /** True if the server has not accepted this subscription before. */
  isNew(wire: Wire): boolean {
    return this.changeOf(wire) !== undefined;
  }

  /** The server has removed a subscription, or does not have it. */
  removed(change: Change): void {
    this.drop(change);
    this.forget(change.wire.name);
    if (change.kind === 'remove') change.resolve();
  }

  /** The subscriptions among these whose snapshot the program still waits for. */
  owing(wires: readonly Wire[]): Wire[] {
    return wires.filter(({ name }) => this.owed.has(name));
  }

  paid(wires: readonly Wire[]): void {
    for (const { name } of wires) this.owed.delete(name);
  }

  /** Drops everything, because the stream has failed or is closed. */
  abandon(error: Error): void {
    const receivers = new Set([...this.receivers, ...this.changes.map(({ wire }) => wire.receiver)]);
    const { changes } = this;
    this.changes = [];
    this.accepted.clear();
    this.routes.clear();
    this.owed.clear();
    this.underWay.clear();
    for (const change of changes) {
      if (change.kind === 'remove') change.resolve();
      else change.reject(error);
    }
    for (const receiver of receivers) receiver.failed(error);
  }

  private enqueue(kind: 'add' | 'replace', wire: Wire): Promise<Filter> {
    const replaced = kind === 'replace' ? wire.receiver : undefined;
    const others = this.planned().filter(({ name, receiver }) => name !== wire.name && receiver !== replaced);
    const why = excess([...others, wire]);
    if (why !== undefined) return Promise.reject(new RequestError('limit_exceeded', why, 'subscribe'));
    return new Promise((resolve, reject) => this.changes.push({ kind, wire, resolve, reject }));
  }

  /** The subscriptions after all changes. */
  private planned(): Wire[] {
    const planned = new Map(this.accepted);
    for (const change of this.changes) {
      if (change.kind === 'remove') {
        planned.delete(change.wire.name);
        continue;
      }
      if (change.kind === 'replace') {
        for (const [name, { receiver }] of planned) if (receiver === change.wire.receiver) planned.delete(name);
      }
      planned.set(change.wire.name, change.wire);
    }
    return [...planned.values()];
  }

  /** A new subscription has the name of one that the server could not remove, and so has taken its place. */
  private taken(name: string): void {
    for (const change of this.changes) {
      if (change.kind !== 'remove' || !change.later || change.wire.name !== name) continue;
      this.drop(change);
      change.resolve();
    }
  }

  private changeOf(wire: Wire): Addition | undefined {
    return this.changes.find((change): change is Addition => change.kind !== 'remove' && change.wire === wire);
  }

  private forget(name: string): void {
    this.accepted.delete(name);
    this.routes.delete(name);
    this.owed.delete(name);
  }

  private drop(change: Change): void {
    this.changes = this.changes.filter((other) => other !== change);
  }
}
