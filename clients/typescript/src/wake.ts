/** The parts of a browser that tell when it is worth another try. */
interface Surroundings {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  document?: Document;
}

/** Calls `callback` when the network comes back or the page becomes visible. Returns what ends that. Never, in Node.js. */
export function onWake(callback: () => void): () => void {
  const surroundings = globalThis as Surroundings;
  const { document } = surroundings;
  const visible = () => {
    if (document?.visibilityState === 'visible') callback();
  };
  surroundings.addEventListener?.('online', callback);
  document?.addEventListener('visibilitychange', visible);
  return () => {
    surroundings.removeEventListener?.('online', callback);
    document?.removeEventListener('visibilitychange', visible);
  };
}
