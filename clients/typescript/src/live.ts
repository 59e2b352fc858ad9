import { ConnectionError, type EntityStreamError, asError } from './errors.js';
import { Backoff } from './backoff.js';
import type { Entity } from './entity.js';

/** An entity as a broker's REST API returns it: an id, a type and the attributes. */
export interface LoadedEntity {
  id: string;
  type: string | string[];
  [attribute: string]: unknown;
}

/** The options of a live collection. */
export interface EntitiesOptions {
  /** The name on the wire. By default the client generates one. */
  name?: string | undefined;
  /** Closes the collection when it aborts. */
  signal?: AbortSignal | undefined;
  /**
   * Reads the entities from another source, for example from a broker, in place of a snapshot of the service. The client calls it when
   * the subscription is in force, and again if changes may be missing, or if an event does not tell which attributes have changed, for
   * example a late one. Changes in the meantime win.
   */
  load?: ((signal: AbortSignal) => Iterable<LoadedEntity> | Promise<Iterable<LoadedEntity>>) | undefined;
  /** The service path of loaded entities that have none [that of the filter, or `/`]. */
  servicePath?: string | undefined;
  /**
   * `false` is for a service without entity state, and needs `load`: the collection merges the attributes of each event. The default
   * is `true`: each event has the whole entity.
   */
  wholeEntity?: boolean | undefined;
}

export const ENTITIES_OPTIONS: readonly (keyof EntitiesOptions)[] = ['name', 'signal', 'load', 'servicePath', 'wholeEntity'];

/** The options of an update of a live collection. */
export type EntitiesUpdateOptions = Pick<EntitiesOptions, 'load'>;

/** The waits between two attempts to load. The shortest one is also between two loads, unless events may be missing. */
const MIN_MS = 1000;
const MAX_MS = 30_000;

/**
 * Calls `load` until it succeeds.
 *
 * Invariant: at most one load is under way, and only the result of the last one that was started is used.
 */
export class Loader {
  private current: AbortController | undefined;
  private endedAt = -Infinity;

  /** `begins` is told each time that `load` is about to be called. */
  constructor(
    private readonly load: (signal: AbortSignal) => Promise<readonly Entity[]>,
    private readonly begins: () => void,
    private readonly loaded: (entities: readonly Entity[]) => void,
    private readonly trouble: (error: EntityStreamError) => void,
  ) {}

  /** Loads now. */
  start(): void {
    this.stop();
    const controller = (this.current = new AbortController());
    void this.run(controller, 0);
  }

  /** Loads once more, unless a load is under way or waits. Late changes can be many, so the load waits a moment after the last one. */
  again(): void {
    if (this.current) return;
    const controller = (this.current = new AbortController());
    void this.run(controller, this.endedAt + MIN_MS - performance.now());
  }

  stop(): void {
    this.current?.abort();
    this.current = undefined;
  }

  private async run(controller: AbortController, waitMs: number): Promise<void> {
    const { signal } = controller;
    const backoff = new Backoff(MIN_MS, MAX_MS);
    signal.addEventListener('abort', () => backoff.skip());
    if (waitMs > 0) await backoff.wait(waitMs);
    while (!signal.aborted) {
      let entities: readonly Entity[];
      try {
        this.begins();
        entities = await this.load(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        this.trouble(new ConnectionError('load_failed', `load failed: ${asError(thrown).message}`, { cause: thrown }));
        await backoff.wait(backoff.next());
        continue;
      }
      if (signal.aborted) return;
      this.current = undefined;
      this.endedAt = performance.now();
      return this.loaded(entities);
    }
  }
}

/** The entity that a broker returned. The error of one that is none has no value of it. */
export function entityOf(loaded: LoadedEntity, tenant: string, usualPath: string): Entity {
  const { id, type, servicePath, '@context': _, ...data } = loaded ?? {};
  if (typeof id !== 'string' || id === '') throw new TypeError('an entity has no `id`');
  const isType = (each: unknown) => typeof each === 'string' && each !== '';
  if (!isType(type) && !(Array.isArray(type) && type.length > 0 && type.every(isType))) throw new TypeError('an entity has no `type`');
  const path = typeof servicePath === 'string' ? servicePath : usualPath;
  return { id, type, tenant, servicePath: path, data, version: undefined, timestamp: '', partial: false };
}
