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

/** How long events are gathered before the component renders again. */
const FRAME_MS = 16;

/** The options of a stream, and what the component does with it. None of them need be memoised. */
export interface UseEntityStreamOptions extends EntityStreamOptions {
  /** What to receive; every change of the tenant without it. Another filter is subscribed to on the same connection. */
  filter?: Filter | undefined;
  /** `false` to be disconnected. */
  enabled?: boolean | undefined;
  /** How many events `events` keeps; 100 without it. */
  limit?: number | undefined;
  /** Called with every event, in the order of arrival. */
  onEvent?: ((event: EntityEvent) => void) | undefined;
}

/** What {@link useEntityStream} returns. */
export interface EntityStreamView {
  /** The latest events, the newest first. */
  events: readonly EntityEvent[];
  /** Where the stream is, and with it why, or when the next attempt is due. */
  status: StateChange;
  /** Whether the server has acknowledged the subscription. */
  isConnected: boolean;
  /** What went wrong last, until it is right again: a refused token, a filter that the server does not accept, … */
  error: EntityStreamError | undefined;
  /** Empties `events`. */
  clear: () => void;
}

const IDLE: StateChange = { state: 'idle', previous: 'idle' };

/**
 * The changes of a tenant's entities, for a component. It connects when the component is mounted and closes when it is
 * unmounted. Options may be written inline: what matters is what they say, and not whether they are the same objects.
 */
export function useEntityStream(options: UseEntityStreamOptions): EntityStreamView {
  const { filter, enabled = true, limit = 100 } = options;
  const [events, setEvents] = useState<readonly EntityEvent[]>([]);
  const [status, setStatus] = useState<StateChange>(IDLE);
  const [error, setError] = useState<EntityStreamError>();
  const clear = useCallback(() => setEvents([]), []);
  const stream = useRef<EntityStream>(undefined);
  // What is called later is what the last render said.
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
    // Those of another tenant, or of another server, are not to be taken for this one's.
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

/** What options say about the connection: functions, of which only the presence counts, left out. */
function connectionKey({ filter, enabled, limit, onEvent, WebSocket, parse, getToken, ...rest }: UseEntityStreamOptions): string {
  return JSON.stringify([Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)), getToken !== undefined]);
}
