import { Connection, type ConnectionEvents } from './connection.js';
import { ClosedError, type EntityStreamError } from './errors.js';
import type { Settings } from './options.js';
import { keepFresh } from './renewal.js';
import { type RefusedToken, type TokenClock, proofFor } from './token.js';
import { target } from './url.js';
import type { SnapshotUnderWay } from './subscriptions.js';
import type { Receiver } from './wire.js';

/** The time in which a connection may ask for past events once. */
const RESUME_INTERVAL_MS = 10_000;

/** One connection of a stream, with the stream's data about it. */
export class Link {
  connection!: Connection;
  /** True if a position of this connection holds for all subscriptions: they are answered, and no request is under way. */
  takesPositions = false;
  /** The subscriptions that are in force on it. */
  readonly names = new Set<string>();
  /** The receivers that its subscriptions had when it was asked for them. Another connection may have given a name to another one. */
  readonly routes = new Map<string, Receiver>();
  /** Those that begin without the events before them. */
  readonly fresh = new Set<number>();
  /** The number of past events that were no repeats, in all and for each receiver. */
  replayed = { all: 0, of: new Map<number, number>() };
  /** The snapshot that the first answer began, or did not bring. */
  snapshot: SnapshotUnderWay | undefined;
  private resumedAt = -Infinity;

  /** The time until it may ask for past events again, in milliseconds. */
  get resumesInMs(): number {
    return Math.max(0, this.resumedAt + RESUME_INTERVAL_MS - performance.now());
  }

  /** It asks for past events. */
  resume(): void {
    this.replayed = { all: 0, of: new Map() };
  }

  /** The server has answered. It counts the interval from its own handling of the message, which ends before its answer. */
  resumed(): void {
    this.resumedAt = performance.now();
  }
}

/** The surroundings of a link. */
export interface LinkContext {
  settings: Settings;
  clock: TokenClock;
  refused: RefusedToken;
  events(link: Link): ConnectionEvents;
  trouble(error: EntityStreamError): void;
}

/** Opens a connection and authenticates it. Closes it if `signal` aborts. */
export async function openLink({ settings, clock, refused, events, trouble }: LinkContext, token: string | undefined, signal: AbortSignal): Promise<Link> {
  // A listener of the state may have closed the stream.
  if (signal.aborted) throw new ClosedError();
  const inBand = settings.authenticate === 'first-message' && token !== undefined;
  const link = new Link();
  const connection = new Connection(settings, target(settings), inBand ? undefined : token, token !== undefined, events(link));
  link.connection = connection;
  const abort = () => void connection.close();
  signal.addEventListener('abort', abort);
  try {
    await connection.opened;
    if (token !== undefined) {
      const proof = await proofFor(settings, token, connection.url, clock);
      if (inBand) await connection.request('authenticate', { token, ...(proof === undefined ? {} : { proof }) });
      else if (proof !== undefined) await connection.request('dpop_bind', { proof });
    }
  } catch (error) {
    const closed = connection.close();
    if (signal.aborted) await closed;
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  if (token !== undefined) keepFresh(connection, token, settings, clock, refused, trouble);
  return link;
}
