import { after } from './timer.js';

/**
 * Waits between attempts: exponential with full jitter, that is, a random part of a ceiling that doubles. Clients that
 * lost their connections together do not come back together.
 */
export class Backoff {
  private failures = 0;
  private hurry: (() => void) | undefined;

  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
  ) {}

  /** How long to wait after one more failure. */
  next(): number {
    const ceiling = Math.min(this.maxMs, this.minMs * 2 ** this.failures);
    this.failures += 1;
    return Math.random() * ceiling;
  }

  /** The next failure is the first again. */
  reset(): void {
    this.failures = 0;
  }

  /** Waits so long, or until `skip` is called. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = after(ms, resolve);
      this.hurry = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Ends the wait, if there is one. */
  skip(): void {
    this.hurry?.();
    this.hurry = undefined;
  }
}
