import { after } from './timer.js';

/**
 * Waits between attempts: exponential backoff with full jitter. Each wait is a random part of a ceiling that doubles, so
 * that clients that lost their connections together do not reconnect together.
 */
export class Backoff {
  private failures = 0;
  private end: ((isPatient: boolean) => void) | undefined;

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

  /** Waits `ms` milliseconds, or until `skip` or `hurry` is called. */
  wait(ms: number, leastMs = 0): Promise<void> {
    return new Promise((resolve) => {
      const begin = performance.now();
      let cancel = after(ms, resolve);
      this.end = (isPatient) => {
        const left = isPatient ? begin + leastMs - performance.now() : 0;
        cancel();
        if (left > 0) cancel = after(left, resolve);
        else resolve();
      };
    });
  }

  /** Ends the current wait, if any. */
  skip(): void {
    this.end?.(false);
    this.end = undefined;
  }

  /** Ends the current wait, if any, once it has lasted for the least time that it was given. */
  hurry(): void {
    this.end?.(true);
  }
}
