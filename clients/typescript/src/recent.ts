/** Recognises repeated events by their ids, because delivery is at least once. */
export class RecentIds {
  private readonly ids = new Set<string>();

  /** Keeps the latest `capacity` ids. */
  constructor(private readonly capacity: number) {}

  /** Adds an id. Returns true if it is new. */
  isNew(id: string): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > this.capacity) {
      // A set keeps the order of insertion: the first is the oldest.
      for (const oldest of this.ids) {
        this.ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}
