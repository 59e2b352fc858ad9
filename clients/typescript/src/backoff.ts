import { after } from './timer.js';

/**
 * Waits between attempts: exponential backoff with full jitter. Each wait is a random part of a ceiling that doubles, so
 * that clients that lost their connections together do not reconnect together.
 */
export class Backoff {
  private failures = 0;
  private hurry: (() => void) | undefined;

  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
  ) {}

  /** Counts a failure and returns the wait after it, in milliseconds. */
  next(): number {
    const ceiling = Math.min(this.maxMs, this.minMs * 2 ** this.failures);
    this.failures += 1;
    return Math.random() * ceiling;
  }

  /** Makes the next failure count as the first. */
  reset(): void {
    this.failures = 0;
  }

  /** Waits `ms` milliseconds, or until `skip` is called. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = after(ms, resolve);
      this.hurry = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Ends the current wait, if any. */
  skip(): void {
    this.hurry?.();
    this.hurry = undefined;
  }
}
