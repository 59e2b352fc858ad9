import type { Connection } from './connection.js';
import { RequestError } from './errors.js';
import type { Filter, Frame } from './messages.js';

/** A connection with the filter that the server keeps for it. */
export interface Link {
  readonly connection: Connection;
  /** The filter in force, compared as an object; `undefined` while there is none. */
  filter: Filter | undefined;
  /** True once the server has acknowledged the filter. */
  acknowledged: boolean;
}

interface Change {
  /** `undefined` to unsubscribe. */
  filter: Filter | undefined;
  resolve(accepted: Filter): void;
  reject(error: Error): void;
}

/** The subscription of a stream: the filter that the server has accepted, and the pending changes of it. */
export class Subscription {
  /** The filter that the server has accepted. New connections begin with it. */
  accepted: Filter | undefined;
  private readonly changes: Change[] = [];
  private asking: Promise<void> | undefined;

  /** The filter for a new connection, or `undefined` for none. */
  get wanted(): Filter | undefined {
    return this.accepted ?? this.changes[0]?.filter;
  }

  /** True if a connection is needed after all pending changes. */
  get isWanted(): boolean {
    const last = this.changes.at(-1);
    return (last ? last.filter : this.accepted) !== undefined;
  }

  /** Adds a change of the filter after the pending ones. `undefined` unsubscribes. */
  change(filter: Filter | undefined): Promise<Filter> {
    return new Promise((resolve, reject) => this.changes.push({ filter, resolve, reject }));
  }

  /** Drops the filter and rejects all pending changes. */
  abandon(error: Error): void {
    this.accepted = undefined;
    for (const { reject } of this.changes.splice(0)) reject(error);
  }

  /** Resolves all pending changes without a connection: the stream has no subscription then. */
  settleWithoutConnection(): void {
    this.accepted = undefined;
    for (const { resolve } of this.changes.splice(0)) resolve({});
  }

  /** True if the accepted filter is in force on this connection, so that its events belong to the subscription. */
  covers(link: Link): boolean {
    return this.accepted !== undefined && link.filter === this.accepted;
  }

  /** Subscribes a new connection with the accepted filter. */
  async restore(link: Link): Promise<void> {
    while (this.accepted && !(this.covers(link) && link.acknowledged)) {
      const filter = this.accepted;
      await link.connection.request('subscribe', fields(filter), () => {
        link.filter = filter;
        link.acknowledged = true;
      });
    }
  }

  /** Waits for pending changes on another connection and then restores. Both connections then receive the same events. */
  async join(link: Link): Promise<void> {
    do {
      await this.asking?.catch(() => {});
      await this.restore(link);
    } while (this.asking);
  }

  /**
   * Sends the pending changes one at a time, because the server handles concurrent messages in any order. `current` is
   * called for each change, because connections are replaced. Rejects if the connection has ended; unanswered changes
   * then stay pending.
   */
  ask(current: () => Link | undefined): Promise<void> {
    this.asking ??= this.askAll(current).finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async askAll(current: () => Link | undefined): Promise<void> {
    for (let change = this.changes[0]; change; change = this.changes[0]) {
      const link = current();
      if (!link) return;
      const { filter } = change;
      let accepted: Filter = {};
      try {
        const answer = await link.connection.request(filter ? 'subscribe' : 'unsubscribe', fields(filter), () => {
          this.accepted = link.filter = filter;
          link.acknowledged = true;
        });
        accepted = filterOf(answer);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        this.remove(change);
        change.reject(error);
        continue;
      }
      this.remove(change);
      change.resolve(accepted);
    }
  }

  private remove(change: Change): void {
    const place = this.changes.indexOf(change);
    if (place >= 0) this.changes.splice(place, 1);
  }
}

/** The size in UTF-8 bytes of the message that subscribes to a filter. */
export function requestBytes(filter: Filter): number {
  const text = JSON.stringify({ action: 'subscribe', ...fields(filter), requestId: String(Number.MAX_SAFE_INTEGER) });
  return new TextEncoder().encode(text).length;
}

/** The fields of a filter in the wire contract. */
function fields(filter: Filter | undefined): Filter {
  return { entityTypes: filter?.entityTypes, idPattern: filter?.idPattern };
}

/** Reads the filter in force from a `subscribed` answer. */
function filterOf({ entityTypes, idPattern }: Frame): Filter {
  return {
    ...(Array.isArray(entityTypes) ? { entityTypes: entityTypes as string[] } : {}),
    ...(typeof idPattern === 'string' ? { idPattern } : {}),
  };
}
