import type { Filter, Frame, Since } from './messages.js';
import type { Beginning } from './since.js';

/** The most subscriptions of a connection that have a name. */
export const MOST_SUBSCRIPTIONS = 16;
/** The largest message in bytes: a browser sends a message as one frame, and API Gateway takes frames of up to 32 KB. */
const MESSAGE_BYTES = 32 * 1024;
/** The longest `since` and `requestId` of a message, in bytes of JSON. */
const RESERVED_BYTES = 320;

/** The subscription of a receiver under a name of the wire. */
export interface Wire {
  readonly name: string;
  readonly filter: Filter;
  readonly snapshot: boolean;
  /** The events before the subscription that it begins with. */
  readonly since: Beginning | undefined;
  readonly receiver: Receiver;
}

/** The part of the program that receives the matches of its subscriptions. */
export interface Receiver {
  /** A number of its own. */
  readonly id: number;
  /** A message that puts it into force is about to be sent: later messages about entities are newer than this moment. */
  began(): void;
  /** The server has accepted it under this name. */
  accepted(wire: Wire): void;
  event(event: Frame): void;
  snapshotItem(item: Frame): void;
  /** The snapshot begins anew. */
  snapshotRestarted(): void;
  snapshotComplete(): void;
  recovered(replayed: number): void;
  notRecovered(reason: string, missedSince: Date | undefined): void;
  /** The connection was lost. */
  lost(): void;
  /** The server does not accept it any more, or the stream has failed. */
  failed(error: Error): void;
}

/** The fields of a message that puts these subscriptions into force. */
export function subscribeFields(wires: readonly Wire[], withSnapshots: boolean, since?: Since): object {
  const subscriptions = wires.map(({ name, filter, snapshot }) => ({
    subscription: name,
    ...filter,
    ...(snapshot && withSnapshots ? { snapshot: true } : {}),
  }));
  return { subscriptions, ...(since ? { since } : {}) };
}

/** Why a connection cannot have all these subscriptions. `undefined` if it can. */
export function excess(wires: readonly Wire[]): string | undefined {
  if (wires.length > MOST_SUBSCRIPTIONS) {
    return `a connection has at most ${MOST_SUBSCRIPTIONS} subscriptions; close one, share one among equal filters, or open another stream`;
  }
  const text = JSON.stringify({ action: 'subscribe', ...subscribeFields(wires, true) });
  const bytes = new TextEncoder().encode(text).length + RESERVED_BYTES;
  if (bytes <= MESSAGE_BYTES) return undefined;
  return `the subscriptions make a message of ${bytes} bytes; the server takes ${MESSAGE_BYTES}. Use fewer or shorter types and ids`;
}
