import type { Link } from './link.js';
import type { EntityEvent, Frame } from './messages.js';
import type { Registry } from './registry.js';
import type { Resumption } from './resumption.js';
import type { SeenEvents } from './seen.js';
import type { Receiver } from './wire.js';

/**
 * Gives each message about an entity to the subscriptions that it names.
 *
 * Invariant: a receiver gets an event once, even if several of its names, connections or replays bring the event. It
 * gets no event from before it began, unless it has asked for those.
 */
export class Router {
  constructor(
    private readonly registry: Registry,
    private readonly resumption: Resumption,
    private readonly seen: SeenEvents,
    private readonly deliver: (event: EntityEvent) => void,
  ) {}

  take(link: Link, message: Frame): void {
    const receivers = this.receivers(link, message);
    if (message['type'] === 'entitySnapshot') {
      for (const receiver of receivers) receiver.snapshotItem(message);
      return;
    }
    if (link.takesPositions) this.resumption.seen(message['position']);
    const isReplayed = message['replayed'] === true;
    let isNew = false;
    for (const receiver of receivers) {
      if (isReplayed && link.fresh.has(receiver.id)) continue;
      if (!this.isNew(message, receiver)) continue;
      isNew = true;
      if (isReplayed) link.replayed.of.set(receiver.id, (link.replayed.of.get(receiver.id) ?? 0) + 1);
      receiver.event(message);
    }
    if (!isNew) return;
    if (isReplayed) link.replayed.all += 1;
    this.deliver(message as unknown as EntityEvent);
  }

  private isNew({ id, state }: Frame, receiver: Receiver): boolean {
    // An event without state comes again with one.
    return state !== undefined || typeof id !== 'string' || this.seen.insert(id, receiver.id);
  }

  /** A server without names for subscriptions names none. */
  private receivers({ routes }: Link, { subscriptions }: Frame): Iterable<Receiver> {
    if (!Array.isArray(subscriptions)) return this.registry.routed;
    const receivers = subscriptions.map((name) => this.registry.receiverOf(String(name)));
    return new Set(receivers.filter((receiver, place) => receiver !== undefined && routes.get(String(subscriptions[place])) === receiver) as Receiver[]);
  }
}
