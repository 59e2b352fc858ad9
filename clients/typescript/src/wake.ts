/** The time between two looks at the clock, and the jump of it that shows that the machine slept. Throttled timers jump less. */
const LOOK_MS = 30_000;
const JUMP_MS = 120_000;

/** The parts of a browser that report a reason for another attempt. React Native has a `document` without listeners. */
interface Surroundings {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  document?: Partial<Pick<Document, 'addEventListener' | 'removeEventListener' | 'visibilityState'>>;
}

/**
 * Calls `callback` when the network comes back, the page becomes visible, or the machine has slept. Returns a function that stops
 * this. In Node.js and in a worker, only the clock tells.
 */
export function onWake(callback: () => void): () => void {
  const surroundings = globalThis as Surroundings;
  const { document } = surroundings;
  const visible = () => {
    if (document?.visibilityState === 'visible') callback();
  };
  surroundings.addEventListener?.('online', callback);
  document?.addEventListener?.('visibilitychange', visible);
  document?.addEventListener?.('resume', callback);
  let last = Date.now();
  const timer: unknown = setInterval(() => {
    const now = Date.now();
    if (now - last > LOOK_MS + JUMP_MS) callback();
    last = now;
  }, LOOK_MS);
  // This timer alone does not keep a process of Node.js alive.
  (timer as { unref?(): void }).unref?.();
  return () => {
    surroundings.removeEventListener?.('online', callback);
    document?.removeEventListener?.('visibilitychange', visible);
    document?.removeEventListener?.('resume', callback);
    clearInterval(timer as ReturnType<typeof setInterval>);
  };
}
