/** The parts of a browser that report a reason for another attempt. React Native has a `document` without listeners. */
interface Surroundings {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  document?: Partial<Pick<Document, 'addEventListener' | 'removeEventListener' | 'visibilityState'>>;
}

/**
 * Calls `callback` when the network comes back or the page becomes visible. Returns a function that stops this. In Node.js
 * neither happens.
 */
export function onWake(callback: () => void): () => void {
  const surroundings = globalThis as Surroundings;
  const { document } = surroundings;
  const visible = () => {
    if (document?.visibilityState === 'visible') callback();
  };
  surroundings.addEventListener?.('online', callback);
  document?.addEventListener?.('visibilitychange', visible);
  return () => {
    surroundings.removeEventListener?.('online', callback);
    document?.removeEventListener?.('visibilitychange', visible);
  };
}
