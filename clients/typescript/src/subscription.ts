import type { Connection } from './connection.js';
import { RequestError } from './errors.js';
import type { Filter, Frame } from './messages.js';

/** A connection with the filter that the server keeps for it. */
export interface Link {
  readonly connection: Connection;
  /** The filter in force, compared as an object; `undefined` while there is none. */
  filter: Filter | undefined;
  /** Whether the server has said so. */
  acknowledged: boolean;
}

interface Change {
  /** `undefined` to receive nothing any more. */
  filter: Filter | undefined;
  resolve(accepted: Filter): void;
  reject(error: Error): void;
}

/** What is subscribed to: the filter that the server has accepted, and the changes of it that it is still to be asked for. */
export class Subscription {
  /** What the server has accepted, which a new connection begins with. */
  accepted: Filter | undefined;
  private readonly changes: Change[] = [];
  private asking: Promise<void> | undefined;

  /** The filter that a connection would need now, `undefined` for none. */
  get wanted(): Filter | undefined {
    return this.accepted ?? this.changes[0]?.filter;
  }

  /** Whether there is anything to be connected for, once all has been asked for. */
  get isWanted(): boolean {
    const last = this.changes.at(-1);
    return (last ? last.filter : this.accepted) !== undefined;
  }

  /** Asks for a filter, or for nothing, after what was asked for before. */
  change(filter: Filter | undefined): Promise<Filter> {
    return new Promise((resolve, reject) => this.changes.push({ filter, resolve, reject }));
  }

  /** Gives up on everything. */
  abandon(error: Error): void {
    this.accepted = undefined;
    for (const { reject } of this.changes.splice(0)) reject(error);
  }

  /** With no connection, there is nothing to unsubscribe from. */
  settleWithoutConnection(): void {
    this.accepted = undefined;
    for (const { resolve } of this.changes.splice(0)) resolve({});
  }

  /** Whether what arrives on a connection is what was asked for: not before a filter is in force, nor an earlier one's. */
  covers(link: Link): boolean {
    return this.accepted !== undefined && link.filter === this.accepted;
  }

  /** Puts the accepted filter in force on a new connection. */
  async restore(link: Link): Promise<void> {
    while (this.accepted && !(this.covers(link) && link.acknowledged)) {
      const filter = this.accepted;
      await link.connection.request('subscribe', fields(filter), () => {
        link.filter = filter;
        link.acknowledged = true;
      });
    }
  }

  /** Like `restore`, and what is being asked for on another connection as well. Then both receive the same. */
  async join(link: Link): Promise<void> {
    do {
      await this.asking?.catch(() => {});
      await this.restore(link);
    } while (this.asking);
  }

  /**
   * Asks for what is to change, one thing at a time: the server handles concurrent messages in any order. `current` is
   * asked each time, for connections are replaced. Rejects if the connection is of no use any more; what has not been
   * answered then remains to be asked for.
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

/** A filter's fields as the wire contract has them. */
function fields(filter: Filter | undefined): Filter {
  return { entityTypes: filter?.entityTypes, idPattern: filter?.idPattern };
}

/** The filter that a `subscribed` answer says is in force. */
function filterOf({ entityTypes, idPattern }: Frame): Filter {
  return {
    ...(Array.isArray(entityTypes) ? { entityTypes: entityTypes as string[] } : {}),
    ...(typeof idPattern === 'string' ? { idPattern } : {}),
  };
}
