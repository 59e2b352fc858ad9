/** The ids seen lately, by which repeats are told: delivery is at least once. */
export class RecentIds {
  private readonly ids = new Set<string>();

  /** Remembers the latest `capacity` ids. */
  constructor(private readonly capacity: number) {}

  /** Whether this id has not been seen; from now on it has. */
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
