import type { Bookmark, Frame, NotRecoveredReason } from './messages.js';

/** The verdict on the events that a stream may have missed. */
export type Verdict = { recovered: true } | { recovered: false; reason: NotRecoveredReason; missedSince: Date | undefined };

/** A step of the bookmark. It waits for the end of the snapshot that belongs to it. */
export interface BookmarkStep {
  bookmark: Bookmark | undefined;
  /** True if the stream has every event up to the bookmark. */
  continues: boolean;
}

/**
 * The place in the history from which a stream resumes.
 *
 * Invariants:
 * - The bookmark begins with the answer to a `subscribe` that names all subscriptions of the stream. After that it is the
 *   greatest position that the stream has seen while no request about subscriptions was under way.
 * - A stream that has missed events, or may have, gets one verdict with its next `subscribed`.
 */
export class Resumption {
  private place: Bookmark | undefined;
  private gap: { since: Date | undefined } | undefined;
  private wasTooSoon = false;

  /** The place from which the next connection resumes. */
  get bookmark(): Bookmark | undefined {
    return this.place && { ...this.place };
  }

  /** The stream has seen this position. */
  seen(position: unknown): void {
    if (this.place && typeof position === 'string' && position > this.place.position) this.place.position = position;
  }

  /** The server answered the first `subscribe` of a connection. */
  answered(answer: Frame, hasAsked: boolean): { step: BookmarkStep; verdict: Verdict | undefined } {
    const { gap } = this;
    this.gap = undefined;
    this.wasTooSoon = false;
    // A server that keeps no history, or does not know of it, gives no verdict.
    const isDue = hasAsked || gap !== undefined;
    const recovered = answer['recovered'] ?? (isDue ? false : undefined);
    const step = { bookmark: bookmarkOf(answer), continues: recovered === true };
    if (recovered === undefined) return { step, verdict: undefined };
    return { step, verdict: recovered === true ? { recovered } : notRecovered(answer, gap?.since) };
  }

  /** The server answered a later `subscribe`, or the first one of a connection that replaces an open one. */
  accepted(answer: Frame): { step: BookmarkStep; verdict: Verdict | undefined } {
    const isLost = answer['recovered'] === false;
    const verdict = isLost ? notRecovered(answer, undefined) : answer['recovered'] === true ? { recovered: true as const } : undefined;
    return { step: { bookmark: bookmarkOf(answer), continues: !isLost }, verdict };
  }

  proceed({ bookmark, continues }: BookmarkStep): void {
    const before = this.place;
    this.place = bookmark;
    if (continues && before && bookmark && before.position > bookmark.position) bookmark.position = before.position;
  }

  /** A connection that had subscribed was lost; it was last heard of at this time. */
  lost(heardAt: Date): void {
    this.gap ??= { since: heardAt };
  }

  /** The stream misses nothing from now on: it has no subscription. */
  forget(): void {
    this.place = this.gap = undefined;
  }

  /** The service has switched its history off. */
  withoutHistory(): void {
    this.place = undefined;
  }

  /** A resume was refused by a limit. Returns true if that can be the limit of resumes: the next attempt tells. */
  isTooSoon(): boolean {
    const before = this.wasTooSoon;
    this.wasTooSoon = true;
    return !before;
  }
}

function bookmarkOf({ position, session }: Frame): Bookmark | undefined {
  return typeof position === 'string' && typeof session === 'string' ? { position, session } : undefined;
}

function notRecovered({ reason }: Frame, missedSince: Date | undefined): Verdict {
  return { recovered: false, reason: (typeof reason === 'string' ? reason : 'unavailable') as NotRecoveredReason, missedSince };
}
