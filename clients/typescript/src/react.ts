'use client';

import { type ReactNode, createContext, createElement, useCallback, useContext, useEffect, useInsertionEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { checkedNumber, checkedType } from './checked.js';
import type { Entity } from './entity.js';
import type { EntityStreamError } from './errors.js';
import { filterKey, filterKeyOfEntities } from './filter.js';
import { connectionKey } from './key.js';
import type { EntitiesOptions } from './live.js';
import type { EntityEvent, EntityFilter, Filter } from './messages.js';
import { type EntityStreamOptions, STREAM_OPTIONS } from './options.js';
import { FRAME_MS, IDLE, NOTHING, SharedStream } from './shared.js';
import { EntityStream, type StateChange } from './stream.js';
import type { NotRecovered } from './subscription.js';
import { refuseUnknown } from './unknown.js';
import { VIEW_OPTIONS, type ViewOptions, checkedView } from './view.js';

const Context = createContext<SharedStream | undefined>(undefined);

/** The properties of {@link EntityStreamProvider}: a stream, or the options of one. */
export type EntityStreamProviderProps = ({ stream: EntityStream } | (EntityStreamOptions & { stream?: undefined })) & { children?: ReactNode };

/**
 * Gives one stream to all components below it. With `stream` the program owns the stream. With the options of a stream, the provider
 * makes it when the first component needs it, and closes it when the provider is unmounted. Options may be written inline: the
 * provider compares their values, and uses the functions of the latest render.
 */
export function EntityStreamProvider({ children, ...given }: EntityStreamProviderProps): ReactNode {
  const { stream } = given;
  refuseUnknown('an EntityStreamProvider', given, stream ? ['stream'] : [...STREAM_OPTIONS, 'stream']);
  const key = stream ? '' : connectionKey(given as EntityStreamOptions);
  const { shared, latest } = useMemo(
    () => {
      // A stream keeps the functions of the last render that had its options, and never gets those of another connection.
      const latest = { current: given as EntityStreamOptions };
      return { latest, shared: stream ? new SharedStream(() => stream, false) : new SharedStream(() => open(latest), true) };
    },
    // `key` has the values of the options.
    [stream, key],
  );
  useInsertionEffect(() => {
    latest.current = given as EntityStreamOptions;
  });
  useEffect(() => shared.retain(), [shared]);
  return createElement(Context.Provider, { value: shared }, children);
}

/** The options of {@link useEntityStream}. None of them needs to be memoised. */
export interface UseEntityStreamOptions<Data = Record<string, unknown>> {
  /** `false` does not subscribe. */
  enabled?: boolean | undefined;
  /** The number of events that `events` keeps [100]. */
  limit?: number | undefined;
  /** Called with every event, in the order of arrival. */
  onEvent?: ((event: EntityEvent<Data>) => void) | undefined;
  /** Called if events may be missing after a lost connection. */
  onNotRecovered?: ((verdict: NotRecovered) => void) | undefined;
}

const EVENT_OPTIONS: readonly (keyof UseEntityStreamOptions)[] = ['enabled', 'limit', 'onEvent', 'onNotRecovered'];

/** The result of {@link useEntityStream}. */
export interface EntityStreamView<Data = Record<string, unknown>> {
  /** The latest events, the newest first. */
  events: readonly EntityEvent<Data>[];
  /** True if the server has accepted the filter. */
  isReady: boolean;
  /** The reason for which the subscription has ended, for example a refused filter or a refused token. */
  error: EntityStreamError | undefined;
  /** Empties `events`. */
  clear: () => void;
}

/** The events of a filter. Components with equal filters share one subscription. */
export function useEntityStream<Data = Record<string, unknown>>(
  filter: Filter = {},
  options: UseEntityStreamOptions<Data> = {},
): EntityStreamView<Data> {
  const shared = useShared();
  refuseUnknown('useEntityStream', options, EVENT_OPTIONS);
  const { enabled = true, limit = 100 } = options;
  checkedNumber('limit', limit, 0);
  for (const name of ['onEvent', 'onNotRecovered'] as const) checkedType(name, options[name], 'function');
  const latest = useLatest({ filter, options });
  const [events, setEvents] = useState<readonly EntityEvent<Data>[]>([]);
  const [{ isReady, error }, setStatus] = useState<{ isReady: boolean; error?: EntityStreamError | undefined }>({ isReady: false });
  const clear = useCallback(() => setEvents([]), []);
  const key = filterKey(filter);
  const attempts = useSyncExternalStore(shared.listen, () => shared.attemptsOfEvents(filter), () => 0);
  useEffect(() => {
    if (!enabled) return undefined;
    // Drops the events of the previous filter.
    setEvents((events) => (events.length > 0 ? [] : events));
    setStatus({ isReady: false });
    const use = shared.subscription(latest.current.filter);
    if (!use) {
      setStatus({ isReady: false, error: shared.end });
      return undefined;
    }
    const { subscription } = use.value;
    const flushed = new Batch<EntityEvent<Data>>((newest) => {
      const most = latest.current.options.limit ?? 100;
      const reversed = newest.reverse();
      // React may call this function twice, so it changes nothing.
      setEvents((events) => [...reversed, ...events].slice(0, most));
    });
    const stops = [
      subscription.on('event', (event) => {
        flushed.add(event as EntityEvent<Data>, latest.current.options.limit ?? 100);
        latest.current.options.onEvent?.(event as EntityEvent<Data>);
      }),
      subscription.on('notRecovered', (verdict) => latest.current.options.onNotRecovered?.(verdict)),
      subscription.on('state', (state) => setStatus((before) => (state === 'active' ? { isReady: true } : { ...before, isReady: false }))),
      subscription.on('error', (error) => setStatus({ isReady: subscription.state === 'active', error })),
    ];
    if (subscription.state === 'active') setStatus({ isReady: true });
    return () => {
      flushed.cancel();
      for (const stop of stops) stop();
      use.release();
    };
    // `key` has the value of the filter.
  }, [shared, key, enabled, attempts, latest]);
  const shown = useMemo(() => (events.length > limit ? events.slice(0, limit) : events), [events, limit]);
  return { events: shown, isReady: enabled && isReady, error: enabled ? error : undefined, clear };
}

/** The options of {@link useEntities}. None of them needs to be memoised. */
export interface UseEntitiesOptions<Data = Record<string, unknown>> extends ViewOptions<Data> {
  /** `false` does not subscribe. */
  enabled?: boolean | undefined;
  /**
   * Reads the entities from another source, as the option of `stream.entities`. Components with equal filters share the first one. It
   * may be written inline: the collection calls the function of the latest render.
   */
  load?: EntitiesOptions['load'];
}

const ENTITIES_OPTIONS: readonly (keyof UseEntitiesOptions)[] = ['enabled', 'load', ...VIEW_OPTIONS];

/** The result of {@link useEntities}. */
export interface EntitiesView<Data = Record<string, unknown>> {
  /** The entities that match, in the order of `sort`. */
  entities: readonly Entity<Data>[];
  /** True if these are all, and the stream is connected. */
  isComplete: boolean;
  error: EntityStreamError | undefined;
}

/** The entities that match a filter, kept up to date. Components with equal filters share one collection. */
export function useEntities<Data = Record<string, unknown>>(filter: EntityFilter = {}, options: UseEntitiesOptions<Data> = {}): EntitiesView<Data> {
  const shared = useShared();
  refuseUnknown('useEntities', options, ENTITIES_OPTIONS);
  checkedView(options);
  checkedType('load', options.load, 'function');
  const { enabled = true, sort, filter: passes, limit } = options;
  const hasLoad = options.load !== undefined;
  const latest = useLatest({ filter, options });
  const key = filterKeyOfEntities(filter);
  const attempts = useSyncExternalStore(shared.listen, () => shared.attemptsOfEntities(filter, hasLoad), () => 0);
  const subscribe = useCallback(
    (changed: () => void) => {
      if (!enabled) return () => {};
      const { filter, options } = latest.current;
      const { load: first } = options;
      const load = first && ((signal: AbortSignal) => (latest.current.options.load ?? first)(signal));
      const use = shared.entities(filter, { load });
      const stop = use?.value.listen(changed);
      return () => {
        stop?.();
        use?.release();
      };
    },
    // `key` has the value of the filter.
    [shared, key, hasLoad, enabled, attempts, latest],
  );
  const read = () => (enabled ? shared.snapshot(filter, hasLoad) : NOTHING);
  const { entities, isComplete, error } = useSyncExternalStore(subscribe, read, () => NOTHING);
  const selected = useMemo(() => select(entities as readonly Entity<Data>[], { sort, filter: passes, limit }), [entities, sort, passes, limit]);
  // Functions that are written inline are others in each render. The array is another one only if it has other entities.
  const last = useRef(selected);
  const shown = isSame(last.current, selected) ? last.current : selected;
  useInsertionEffect(() => {
    last.current = shown;
  });
  return { entities: shown, isComplete, error };
}

/** The state of the connection. `retry` makes another attempt after the state `failed`, for example when the user has logged in. */
export function useConnectionState(): StateChange & { retry: () => void } {
  const shared = useShared();
  const change = useSyncExternalStore(shared.listen, () => shared.state, () => IDLE);
  return useMemo(() => ({ ...change, retry: shared.retry }), [change, shared]);
}

function useShared(): SharedStream {
  const shared = useContext(Context);
  if (!shared) throw new Error('this hook needs an <EntityStreamProvider> above its component');
  return shared;
}

/** A reference to the value of the latest render. It is there before the other effects, those of components below included. */
function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}

/** Opens a stream that calls the functions of the latest render. */
function open(latest: { readonly current: EntityStreamOptions & { stream?: undefined } }): EntityStream {
  const { stream: _, getToken, parse, debug, ...rest } = latest.current;
  return new EntityStream({
    ...rest,
    ...(getToken ? { getToken: () => latest.current.getToken?.() } : {}),
    ...(parse ? { parse: (text) => (latest.current.parse ?? parse)(text) } : {}),
    ...(debug ? { debug: (entry) => latest.current.debug?.(entry) } : {}),
  });
}

function select<Data>(entities: readonly Entity<Data>[], { sort, filter, limit }: ViewOptions<Data>): readonly Entity<Data>[] {
  const passing = filter ? entities.filter(filter) : entities;
  const sorted = sort ? [...passing].sort(sort) : passing;
  return limit === undefined || sorted.length <= limit ? sorted : sorted.slice(0, limit);
}

function isSame(before: readonly unknown[], after: readonly unknown[]): boolean {
  return before === after || (before.length === after.length && before.every((value, place) => value === after[place]));
}

/** Gathers values, and hands them out once per frame. */
class Batch<T> {
  private values: T[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly flush: (values: T[]) => void) {}

  add(value: T, most: number): void {
    this.values.push(value);
    if (this.values.length > most) this.values.shift();
    this.timer ??= setTimeout(() => {
      const { values } = this;
      this.values = [];
      this.timer = undefined;
      this.flush(values);
    }, FRAME_MS);
  }

  cancel(): void {
    clearTimeout(this.timer);
  }
}
