/** The time that a stream has been connected. A memory ages by it, so a stream that comes back after an hour still knows what it had. */
export class OnlineTime {
  private before = 0;
  private since: number | undefined;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A connection opened. */
  online(): void {
    this.since ??= this.now();
  }

  /** The last connection ended. */
  offline(): void {
    this.before = this.at();
    this.since = undefined;
  }

  /** The time online until now, in milliseconds. */
  at(): number {
    return this.before + (this.since === undefined ? 0 : this.now() - this.since);
  }
}
