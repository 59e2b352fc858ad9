import { checkedNumber } from './checked.js';
import { OverflowError } from './errors.js';

/** The buffer of a `for await` loop. */
export interface IteratorOptions {
  /** The largest number of buffered events. The default is 1,000. */
  capacity?: number | undefined;
  /**
   * The behaviour when the buffer is full. `drop-oldest`, the default, drops the oldest event and tells the `error`
   * listeners of the subscription once per backlog. `fail` gives the loop the buffered events and then an `OverflowError`.
   */
  overflow?: 'drop-oldest' | 'fail' | undefined;
}

export const ITERATOR_OPTIONS: readonly (keyof IteratorOptions)[] = ['capacity', 'overflow'];

/** Throws for an invalid option. */
export function checkedIterator({ capacity, overflow = 'fail' }: IteratorOptions): void {
  checkedNumber('capacity', capacity, 1);
  if (overflow !== 'fail' && overflow !== 'drop-oldest') throw new TypeError('overflow has to be "drop-oldest" or "fail"');
}

type Result<Event> = IteratorResult<Event, undefined>;

interface Waiting<Event> {
  resolve(result: Result<Event>): void;
  reject(error: Error): void;
}

/** The future events of a subscription, for a `for await` loop. */
export class EventIterator<Event> implements AsyncIterableIterator<Event, undefined> {
  /** The number of events that were dropped for newer ones. */
  dropped = 0;
  private buffer: Event[] = [];
  private overflowing = false;
  private readonly waiting: Waiting<Event>[] = [];
  private end: { error: Error | undefined } | undefined;
  private readonly capacity: number;
  private readonly overflow: 'drop-oldest' | 'fail';

  /** @internal */
  constructor(
    options: IteratorOptions,
    private readonly onOverflow: (error: OverflowError) => void,
    private readonly onEnd: (iterator: EventIterator<Event>) => void,
  ) {
    this.capacity = options.capacity ?? 1000;
    this.overflow = options.overflow ?? 'drop-oldest';
  }

  next(): Promise<Result<Event>> {
    if (this.buffer.length > 0) {
      const value = this.buffer.shift()!;
      if (this.buffer.length === 0) this.overflowing = false;
      return Promise.resolve({ done: false, value });
    }
    if (this.end) {
      const { error } = this.end;
      // An iterator throws its error once, and then ends.
      this.end = { error: undefined };
      return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  return(): Promise<Result<Event>> {
    this.buffer = [];
    this.finish(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  push(event: Event): void {
    if (this.end) return;
    const waiting = this.waiting.shift();
    if (waiting) return waiting.resolve({ done: false, value: event });
    if (this.buffer.length < this.capacity) return void this.buffer.push(event);
    if (this.overflow === 'fail') return this.finish(new OverflowError(this.capacity));
    this.buffer.shift();
    this.buffer.push(event);
    this.dropped += 1;
    if (!this.overflowing) {
      this.overflowing = true;
      this.onOverflow(new OverflowError(this.capacity));
    }
  }

  /** Ends the iterator. The loop still gets the buffered events. @internal */
  finish(error: Error | undefined): void {
    if (this.end) return;
    this.end = { error };
    for (const waiting of this.waiting.splice(0)) {
      const { error } = this.end;
      this.end = { error: undefined };
      if (error) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
    this.onEnd(this);
  }
}
