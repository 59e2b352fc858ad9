type Listeners<Events> = { [Name in keyof Events]?: Set<(value: Events[Name]) => void> };

/** A set of listeners for each event name. */
export class Emitter<Events> {
  private readonly listeners: Listeners<Events> = {};
  /** The listeners of the program inside of those that are called once. */
  private readonly inner = new WeakMap<object, unknown>();

  /** Adds a listener and returns a function that removes it. A function that is added twice is called once. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = (this.listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Adds a listener that is called once. */
  once<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const once = (value: Events[Name]) => {
      stop();
      listener(value);
    };
    this.inner.set(once, listener);
    const stop = this.on(name, once);
    return stop;
  }

  off<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): void {
    const listeners = this.listeners[name];
    for (const each of listeners ?? []) if (each === listener || this.inner.get(each) === listener) listeners?.delete(each);
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
