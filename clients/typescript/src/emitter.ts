type Listeners<Events> = { [Name in keyof Events]?: Set<(value: Events[Name]) => void> };

/** A set of listeners for each event name. */
export class Emitter<Events> {
  private readonly listeners: Listeners<Events> = {};
  /** The ways to remove the listeners that were added with `once`. */
  private readonly wrapped = new Map<unknown, () => void>();

  /** Adds a listener and returns a function that removes it. A function that is added twice is called once. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = (this.listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Adds a listener that is called once. */
  once<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const stop = this.on(name, (value) => {
      stop();
      this.wrapped.delete(listener);
      listener(value);
    });
    this.wrapped.set(listener, stop);
    return stop;
  }

  off<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): void {
    this.listeners[name]?.delete(listener);
    this.wrapped.get(listener)?.();
  }

  has(name: keyof Events): boolean {
    return (this.listeners[name]?.size ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.listeners[name] ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        // The program sees a listener's error as uncaught, and the other listeners still get the value.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
