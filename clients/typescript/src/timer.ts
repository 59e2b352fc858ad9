import { ClosedError } from './errors.js';

/** The longest delay of `setTimeout`. It treats a longer delay as none. */
const LONGEST = 2 ** 31 - 1;

/** Calls `callback` once after `ms` milliseconds (`Infinity`: never). Returns a function that cancels the call. */
export function after(ms: number, callback: () => void): () => void {
  let left = Math.max(0, ms);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    const part = Math.min(left, LONGEST);
    left -= part;
    timer = setTimeout(() => (left > 0 ? wait() : callback()), part);
  };
  if (left !== Infinity) wait();
  return () => clearTimeout(timer);
}

/** Settles like `promise`. Rejects with `late()` after `ms` milliseconds, or with `ClosedError` if `signal` aborts. */
export function within<T>(ms: number, promise: Promise<T>, late: () => Error, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new ClosedError());
    const aborted = () => settle(() => reject(new ClosedError()));
    const cancel = after(ms, () => settle(() => reject(late())));
    const settle = (how: () => void) => {
      cancel();
      signal?.removeEventListener('abort', aborted);
      how();
    };
    signal?.addEventListener('abort', aborted);
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    return undefined;
  });
}
