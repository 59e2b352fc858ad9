type Listeners<Events> = { [Name in keyof Events]?: Set<(value: Events[Name]) => void> };

/** Who listens to what. */
export class Emitter<Events> {
  private readonly listeners: Listeners<Events> = {};

  /** Adds a listener, and returns what removes it. The same function added twice is called once. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = (this.listeners[name] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  has(name: keyof Events): boolean {
    return (this.listeners[name]?.size ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.listeners[name] ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        // A listener's mistake is the program's to hear of, and nobody else's to suffer from.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
