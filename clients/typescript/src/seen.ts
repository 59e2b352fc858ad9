/**
 * The latest events, by their ids and the subscriptions that have had them.
 *
 * Invariants:
 * - A pair of an event and a subscription is new once within 15 minutes of time online, among the latest 100,000 pairs.
 * - `known` and `order` hold the same pairs. A map keeps the order of insertion, so it is both.
 */
const TIME_MS = 15 * 60_000;
const MOST = 100_000;

export class SeenEvents {
  private readonly known = new Map<string, number>();

  constructor(
    private readonly online: { at(): number },
    private readonly most = MOST,
  ) {}

  /** Remembers that a subscription has had an event. Returns false if it had the event before. */
  insert(id: string, subscription: number): boolean {
    const now = this.online.at();
    for (const [key, time] of this.known) {
      if (now - time <= TIME_MS) break;
      this.known.delete(key);
    }
    const key = `${subscription} ${id}`;
    if (this.known.has(key)) return false;
    this.known.set(key, now);
    if (this.known.size > this.most) {
      for (const oldest of this.known.keys()) {
        this.known.delete(oldest);
        break;
      }
    }
    return true;
  }

  get size(): number {
    return this.known.size;
  }
}
