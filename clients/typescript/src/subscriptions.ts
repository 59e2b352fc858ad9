import { ConnectionError, RequestError, TooSoonError } from './errors.js';
import { filterInForce } from './filter.js';
import type { Link } from './link.js';
import { Lock } from './lock.js';
import type { Frame, Since } from './messages.js';
import type { Addition, Registry, Removal } from './registry.js';
import type { BookmarkStep, Resumption, Verdict } from './resumption.js';
import { wireSince } from './since.js';
import { receiveSnapshot } from './snapshot.js';
import { after } from './timer.js';
import { type Receiver, type Wire, subscribeFields } from './wire.js';

/** The silence after which a connection that has left its group gets no more events. */
const QUIET_MS = 1000;
/** The most attempts of a message that others hold up, and the time between them. */
const ATTEMPTS = 4;
const ATTEMPT_MS = 500;

/** A snapshot of which parts are missing. */
export interface SnapshotUnderWay {
  wires: readonly Wire[];
  /** The answer that announced the next part. `undefined` if the server has to begin. */
  answer: Frame | undefined;
  /** The bookmark that waits for the end of the snapshot. */
  step: BookmarkStep | undefined;
}

/** The results of a first message, to be told once the stream is connected. */
export interface Opened {
  verdict: Verdict | undefined;
  tell(): void;
}

/**
 * Sends the requests about subscriptions.
 *
 * Invariants:
 * - One request is under way at a time, because a server may handle two messages of a connection at the same time. A snapshot
 *   counts as one request, because its token belongs to the subscriptions for which it was begun.
 * - The bookmark moves with an answer only when everything before it has been delivered, snapshots included.
 */
export class Subscriptions {
  private readonly lock = new Lock();
  /** True if the last first message has failed. */
  private isCautious = false;

  constructor(
    readonly registry: Registry,
    private readonly resumption: Resumption,
    private readonly settings: { groupId: string | undefined; drainMs: number },
    private readonly judged: (verdict: Verdict, replayed: number) => void,
  ) {}

  /** Sends all subscriptions in the first message of a connection. Returns `undefined` if none is wanted, or none is left. */
  open(link: Link): Promise<Opened | undefined> {
    return this.lock.run(async () => {
      for (;;) {
        // The connection has no subscription yet, so subscriptions closed meanwhile need no message.
        this.registry.disconnected();
        // New subscriptions have missed nothing.
        if (this.registry.restored.length === 0) this.resumption.forget();
        const { wires, since } = this.registry.opening(this.bookmark, this.isCautious);
        if (wires.length === 0) return undefined;
        const isNew = wires.map((wire) => this.registry.isNew(wire));
        this.begin(link, wires);
        wires.forEach(({ receiver, since }, place) => {
          if (isNew[place] && !since) link.fresh.add(receiver.id);
        });
        try {
          let opened!: Opened;
          await this.subscribe(link, wires, true, since, (answer) => {
            const told = wires.filter((wire, place) => !isNew[place] || wire.since).map(({ receiver }) => receiver);
            opened = this.opened(link, wires, told, since !== undefined, answer);
          });
          return opened;
        } catch (error) {
          this.refused(wires, since !== undefined, error);
        }
      }
    });
  }

  /** Restores the subscriptions on a connection that replaces an open one. `promote` makes it the active one, and may refuse. */
  join(link: Link, promote: () => boolean): Promise<boolean> {
    return this.lock.run(async () => {
      const wires = this.registry.restored;
      if (wires.length === 0) return false;
      const since = this.bookmark;
      for (const { name, receiver } of wires) link.routes.set(name, receiver);
      let isJoined = false;
      await this.subscribe(link, wires, false, since, (answer) => {
        for (const { name } of wires) link.names.add(name);
        isJoined = promote();
        if (!isJoined) return;
        this.resumption.proceed(this.resumption.accepted(answer).step);
        link.takesPositions = true;
      });
      return isJoined;
    });
  }

  /** Completes the snapshot of a connection, and sends the changes that wait, until it is not the active one any more. */
  work(link: Link, isActive: () => boolean): Promise<void> {
    return this.lock.run(async () => {
      const { snapshot } = link;
      link.snapshot = undefined;
      if (snapshot && isActive()) await this.complete(link, snapshot);
      while (isActive()) {
        const change = this.registry.next(link.resumesInMs === 0);
        if (!change) return;
        if (change.kind === 'remove') await this.remove(link, change);
        else await this.put(link, change);
      }
    });
  }

  /** Removes all subscriptions from a connection, and takes the events that the group has already assigned to it. */
  async leave({ connection, names }: Link): Promise<void> {
    for (const subscription of names) {
      // If the server cannot remove it, the end of the connection does.
      await connection.request('unsubscribe', { subscription }).catch(() => {});
    }
    if (names.size > 0) await connection.quiet(QUIET_MS, this.settings.drainMs);
  }

  private get isMember(): boolean {
    return this.settings.groupId !== undefined;
  }

  private get bookmark() {
    return this.isMember ? undefined : this.resumption.bookmark;
  }

  private begin(link: Link, wires: readonly Wire[]): void {
    link.takesPositions = false;
    link.fresh.clear();
    for (const { name, receiver } of wires) link.routes.set(name, receiver);
    this.registry.begin(wires);
  }

  private async subscribe(link: Link, wires: readonly Wire[], snapshots: boolean, since: Since | undefined, answered: (answer: Frame) => void): Promise<Frame> {
    if (since) link.resume();
    try {
      return await link.connection.request('subscribe', subscribeFields(wires, snapshots, since), answered);
    } finally {
      if (since) link.resumed();
    }
  }

  private opened(link: Link, wires: readonly Wire[], told: readonly Receiver[], hasAsked: boolean, answer: Frame): Opened {
    this.isCautious = false;
    const { step, verdict } = this.resumption.answered(answer, hasAsked);
    const done = this.registry.accept(wires);
    for (const { name } of wires) link.names.add(name);
    link.fresh.clear();
    const snapshots = wires.filter(({ snapshot }) => snapshot);
    if (typeof answer['snapshot'] === 'number' && snapshots.length > 0) link.snapshot = { wires: snapshots, answer, step };
    else {
      this.resumption.proceed(step);
      // The stream resumes, so the server sent no snapshot.
      const owing = verdict ? this.registry.owing(snapshots) : [];
      if (owing.length > 0) link.snapshot = { wires: owing, answer: undefined, step: undefined };
      else link.takesPositions = true;
    }
    return {
      verdict,
      tell: () => {
        for (const { wire, resolve } of done) resolve(filterInForce(answer, wire.name));
        if (verdict) this.judge(link, verdict, told);
      },
    };
  }

  /** Drops the subscription for which a first message was refused. Throws if the fault is another one. */
  private refused(wires: readonly Wire[], hasAsked: boolean, error: unknown): void {
    if (!(error instanceof RequestError)) throw error;
    if (error.code === 'limit_exceeded' && hasAsked && this.resumption.isTooSoon()) throw new TooSoonError(error.message);
    if (isPassing(error)) {
      // A new subscription that the server cannot serve must not keep the others from being restored. It follows by itself.
      this.isCautious = error.code === 'internal';
      throw new ConnectionError('server_error', error.message, { cause: error });
    }
    // The server does not take the bookmark, so that the past is lost.
    if (error.code === 'invalid_since' && this.bookmark) return this.resumption.withoutHistory();
    const isClosed = error.code === 'message_too_large' || error.code === 'invalid_message';
    const beginner = error.code === 'invalid_since' ? wires.find(({ since }) => since) : undefined;
    const wire = beginner ?? this.registry.atFault(wires, error.subscription);
    if (isClosed && !(wire && this.registry.isNew(wire))) throw new ConnectionError('connection_lost', error.message, { cause: error });
    if (!wire) throw error;
    this.registry.refuse(wire, error);
  }

  private async put(link: Link, change: Addition): Promise<void> {
    const { kind, wire, resolve } = change;
    for (let attempt = 1; ; attempt += 1) {
      const since = wire.since && wireSince(wire.since);
      this.begin(link, [wire]);
      if (kind === 'add' && !since) link.fresh.add(wire.receiver.id);
      try {
        let step!: BookmarkStep;
        let verdict: Verdict | undefined;
        const answer = await this.subscribe(link, [wire], true, since, (answer) => {
          ({ step, verdict } = this.resumption.accepted(answer));
          this.registry.accept([wire]);
          link.names.add(wire.name);
          link.fresh.clear();
          if (wire.snapshot && !isWithout(answer)) return;
          this.resumption.proceed(step);
          link.takesPositions = !wire.snapshot;
        });
        resolve(filterInForce(answer, wire.name));
        if (verdict) this.judge(link, verdict, [wire.receiver]);
        const begun = isWithout(answer) ? { answer: undefined, step: undefined } : { answer, step };
        if (wire.snapshot) await this.complete(link, { wires: [wire], ...begun });
        break;
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (!isPassing(error) || attempt === ATTEMPTS) {
          // The limit can be the one of `since`: the second attempt tells.
          if (since && error.code === 'limit_exceeded' && !change.wasTooSoon) this.registry.tooSoon(change);
          else this.registry.refuse(wire, error);
          break;
        }
        await pause(link, ATTEMPT_MS);
      }
    }
    link.fresh.clear();
    link.takesPositions = true;
  }

  private async remove(link: Link, change: Removal): Promise<void> {
    const { name } = change.wire;
    for (let attempt = change.later ? ATTEMPTS : 1; ; attempt += 1) {
      link.takesPositions = false;
      try {
        await link.connection.request('unsubscribe', { subscription: name }, () => (link.takesPositions = true));
        break;
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        // The server does not have it.
        if (!isPassing(error)) break;
      }
      if (attempt === ATTEMPTS) {
        link.takesPositions = true;
        // The group still assigns events to this member alone.
        return this.registry.postpone(change, !this.isMember);
      }
      await pause(link, ATTEMPT_MS);
    }
    link.names.delete(name);
    // Events that the group has assigned to this connection are still under way.
    if (this.isMember) await link.connection.quiet(QUIET_MS, this.settings.drainMs);
    link.takesPositions = true;
    this.registry.removed(change);
  }

  /** Receives the rest of a snapshot. */
  private async complete(link: Link, { wires, answer, step }: SnapshotUnderWay): Promise<void> {
    const receivers = new Set(wires.map(({ receiver }) => receiver));
    let held = step;
    try {
      await receiveSnapshot(answer, {
        begin: async () => {
          for (const receiver of receivers) receiver.snapshotRestarted();
          const begun = await link.connection.request('subscribe', subscribeFields(wires, true));
          const { step: next, verdict } = this.resumption.accepted(begun);
          held = held && !held.continues ? { ...next, continues: false } : next;
          if (verdict) this.judge(link, verdict, [...receivers]);
          return begun;
        },
        isWanted: () => this.registry.isAnyWanted(receivers),
        proceed: (next) => link.connection.request('snapshot', { next }),
        pause: (ms) => pause(link, ms),
      });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      throw new ConnectionError('server_error', error.message, { cause: error });
    }
    this.registry.paid(wires);
    if (held) this.resumption.proceed(held);
    link.takesPositions = true;
    for (const receiver of receivers) receiver.snapshotComplete();
  }

  private judge({ replayed }: Link, verdict: Verdict, receivers: readonly Receiver[]): void {
    for (const receiver of new Set(receivers)) {
      if (verdict.recovered) receiver.recovered(replayed.of.get(receiver.id) ?? 0);
      else receiver.notRecovered(verdict.reason, verdict.missedSince);
    }
    this.judged(verdict, replayed.all);
  }
}

/** True if the server has sent the past events in place of a snapshot. */
function isWithout(answer: Frame): boolean {
  return answer['recovered'] === true && answer['snapshot'] === undefined;
}

/** True if the same message may succeed a moment later. */
function isPassing({ code }: RequestError): boolean {
  return code === 'conflict' || code === 'internal';
}

/** Waits, but not longer than the connection lasts. */
async function pause({ connection }: Link, ms: number): Promise<void> {
  let cancel = () => {};
  await Promise.race([connection.ended, new Promise<void>((resolve) => (cancel = after(ms, resolve)))]);
  cancel();
}

