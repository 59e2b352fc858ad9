import type { EntityEvent, Filter, Frame } from './messages.js';
import type { Link, Subscription } from './subscription.js';

/**
 * Decides which events of a connection belong to the stream.
 *
 * Invariant: no event that a group assigned to this connection is dropped. The server counts a connection as a member of its
 * group from the first moment, so events that arrive before the acknowledgement wait for it, and events that arrive after
 * an `unsubscribe` still count. Outside a group, another connection or the next subscription has those events, or nothing
 * was promised.
 */
export class Intake {
  private held: Frame[] = [];

  constructor(
    private readonly link: Link,
    private readonly subscription: Subscription,
    private readonly inGroup: boolean,
    private readonly deliver: (event: EntityEvent) => void,
  ) {}

  /** Takes an event from the connection. */
  take(frame: Frame): void {
    if (this.subscription.covers(this.link) || (this.inGroup && this.link.acknowledged)) this.pass(frame);
    else if (this.inGroup) this.held.push(frame);
  }

  /** Delivers the events that waited for the acknowledgement and match the filter. */
  release(): void {
    const { held, link } = this;
    this.held = [];
    if (!link.acknowledged || !link.filter) return;
    for (const frame of held) if (matches(link.filter, frame)) this.pass(frame);
  }

  private pass(frame: Frame): void {
    this.deliver(frame as unknown as EntityEvent);
  }
}

/** Judges an event by a filter. A pattern that this platform cannot read matches: a wrong event is better than a lost one. */
function matches({ entityTypes, idPattern }: Filter, { entityType, entityId }: Frame): boolean {
  const types: unknown[] = Array.isArray(entityType) ? entityType : [entityType];
  if (entityTypes?.length && !types.some((type) => entityTypes.includes(String(type)))) return false;
  if (!idPattern) return true;
  try {
    return new RegExp(idPattern, 'u').test(String(entityId));
  } catch {
    return true;
  }
}
