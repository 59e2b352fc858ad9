import type { Since } from './messages.js';
import { refuseUnknown } from './unknown.js';

/** The greatest number of seconds that a server reads. */
const MOST_SECONDS = 2 ** 32 - 1;

/** The past events that a subscription begins with, and the time of the call that asked for them. */
export interface Beginning {
  readonly since: Since;
  /** A time of `performance.now()`. */
  readonly askedAt: number;
}

/** Copies the option `since`. Throws for anything that is neither a number of seconds nor a bookmark. */
export function checkedSince(given: Since | null | undefined): Since | undefined {
  if (given === undefined || given === null) return undefined;
  const wrong = () => new TypeError('since has to be { seconds } with a number of at least 0, or a bookmark: { position, session } with two strings');
  if (typeof given !== 'object' || Array.isArray(given)) throw wrong();
  refuseUnknown('since', given, ['seconds', 'position', 'session']);
  const { seconds, position, session } = given as { seconds?: unknown; position?: unknown; session?: unknown };
  if (seconds === undefined && typeof position === 'string' && typeof session === 'string') return { position, session };
  if (position !== undefined || session !== undefined || typeof seconds !== 'number' || !(seconds >= 0 && seconds < Infinity)) throw wrong();
  return { seconds };
}

/**
 * `since` of a message that is sent now. The seconds of the program count from its call, so the time that has passed is added.
 * A part of a second counts as a whole one, so that no event is missing.
 */
export function wireSince({ since, askedAt }: Beginning, now = performance.now()): Since {
  if (!('seconds' in since)) return since;
  return { seconds: Math.min(MOST_SECONDS, Math.ceil(since.seconds + (now - askedAt) / 1000)) };
}

/** True if the calls asked for the same. One message can then serve both. */
export function isSameSince(a: Beginning, b: Beginning): boolean {
  return JSON.stringify(a.since) === JSON.stringify(b.since);
}
