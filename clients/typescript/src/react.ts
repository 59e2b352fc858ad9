import { useCallback, useEffect, useRef, useState } from 'react';
import {
  ClosedError,
  type EntityEvent,
  EntityStream,
  type EntityStreamError,
  type EntityStreamOptions,
  type Filter,
  type StateChange,
} from './index.js';

/** The time for which events are gathered before the component renders again. */
const FRAME_MS = 16;

/** The options of a stream and of the hook. None of them needs to be memoised. */
export interface UseEntityStreamOptions extends EntityStreamOptions {
  /** The events to receive; by default every change of the tenant. A new filter uses the same connection. */
  filter?: Filter | undefined;
  /** `false` disconnects. */
  enabled?: boolean | undefined;
  /** The number of events that `events` keeps. The default is 100. */
  limit?: number | undefined;
  /** Called with every event, in the order of arrival. */
  onEvent?: ((event: EntityEvent) => void) | undefined;
}

/** The result of {@link useEntityStream}. */
export interface EntityStreamView {
  /** The latest events, the newest first. */
  events: readonly EntityEvent[];
  /** The state of the stream, with its reason, or with the time of the next attempt. */
  status: StateChange;
  /** True if the server has acknowledged the subscription. */
  isConnected: boolean;
  /** The last error until it is resolved, for example a refused token or a refused filter. */
  error: EntityStreamError | undefined;
  /** Empties `events`. */
  clear: () => void;
}

const IDLE: StateChange = { state: 'idle', previous: 'idle' };

/**
 * Streams the changes of a tenant's entities to a component. The hook connects when the component is mounted and closes
 * the connection when the component is unmounted. Options may be written inline: the hook compares their values and not
 * their identity.
 */
export function useEntityStream(options: UseEntityStreamOptions): EntityStreamView {
  const { filter, enabled = true, limit = 100 } = options;
  const [events, setEvents] = useState<readonly EntityEvent[]>([]);
  const [status, setStatus] = useState<StateChange>(IDLE);
  const [error, setError] = useState<EntityStreamError>();
  const clear = useCallback(() => setEvents([]), []);
  const stream = useRef<EntityStream>(undefined);
  // Callbacks use the options of the latest render.
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });

  const connection = connectionKey(options);
  useEffect(() => {
    if (!enabled) return undefined;
    const { getToken } = latest.current;
    const created = new EntityStream({
      ...latest.current,
      getToken: getToken && (() => latest.current.getToken?.()),
    });
    stream.current = created;
    let gathered: EntityEvent[] = [];
    let flush: ReturnType<typeof setTimeout> | undefined;
    // Drops the events of the previous tenant or server.
    setEvents([]);
    created.on('event', (event) => {
      gathered.push(event);
      const most = latest.current.limit ?? 100;
      if (gathered.length > most) gathered.shift();
      flush ??= setTimeout(() => {
        const newest = gathered.reverse();
        gathered = [];
        flush = undefined;
        setEvents((events) => [...newest, ...events].slice(0, most));
      }, FRAME_MS);
      latest.current.onEvent?.(event);
    });
    created.on('error', setError);
    created.on('state', (change) => {
      if (change.state === 'closed') return;
      setStatus(change);
      if (change.state === 'connected') setError(undefined);
    });
    return () => {
      clearTimeout(flush);
      stream.current = undefined;
      setStatus(IDLE);
      void created.close();
    };
  }, [connection, enabled]);

  const wanted = JSON.stringify([filter?.entityTypes ?? [], filter?.idPattern ?? '']);
  useEffect(() => {
    stream.current?.subscribe(latest.current.filter).then(
      () => setError(undefined),
      (error: EntityStreamError) => {
        if (!(error instanceof ClosedError)) setError(error);
      },
    );
  }, [connection, enabled, wanted]);

  return { events: events.length > limit ? events.slice(0, limit) : events, status, isConnected: status.state === 'connected', error, clear };
}

/** A key of the options that concern the connection. It contains only the presence of `getToken`, and no other function. */
function connectionKey({ filter, enabled, limit, onEvent, WebSocket, parse, getToken, ...rest }: UseEntityStreamOptions): string {
  return JSON.stringify([Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)), getToken !== undefined]);
}
