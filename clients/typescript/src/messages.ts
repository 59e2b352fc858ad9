/** The filter of a subscription. A field that is absent or empty does not restrict it. */
export interface Filter {
  /** At most 49 entity types; a change of any of them matches. */
  entityTypes?: readonly string[] | undefined;
  /** A regular expression in the syntax of Rust's `regex` crate, matched anywhere in the entity id unless it is anchored. */
  idPattern?: string | undefined;
}

/** A change of an entity. */
export interface EntityEvent {
  type: 'entityCreated' | 'entityUpdated' | 'entityDeleted';
  /** The event's id, the same in every redelivery. The client has already dropped repeats. */
  id: string;
  tenant: string;
  servicePath: string;
  entityId: string;
  /** An array for an entity with several types. */
  entityType: string | string[];
  /** The entity as published; empty if `truncated`. */
  data?: Record<string, unknown>;
  /** Present on updates only, if the publisher sent it. */
  changedAttributes?: string[];
  /** The JSON-LD context of the names in `data`, if the publisher sent one. */
  '@context'?: string | object;
  /** The publisher's time of the change. Order events by this time and not by their arrival. */
  timestamp: string;
  /** The event was too large to be delivered with its `data`. */
  truncated?: true;
  /** The size of the missing `data`, in bytes. */
  dataBytes?: number;
  /** The place of the event in the history, if the service keeps one. */
  position?: string;
  /** The event comes from the history: a subscription was exchanged at that moment. */
  replayed?: true;
  /** The version of the entity after the change, if the service keeps its state. It grows with each change of the entity. */
  version?: number;
  /** The service had a newer change of the entity already. */
  late?: true;
  /** The service keeps states, but none of this entity. */
  state?: 'unavailable';
}

/** The codes of the wire contract's `error` answers. */
export type RequestErrorCode =
  | 'invalid_json'
  | 'invalid_message'
  | 'unknown_action'
  | 'invalid_entity_types'
  | 'invalid_id_pattern'
  | 'unauthorized'
  | 'forbidden'
  | 'message_too_large'
  | 'limit_exceeded'
  | 'conflict'
  | 'not_connected'
  | 'internal';

/** A frame from the server, with unchecked fields. */
export type Frame = { readonly [name: string]: unknown };

/** Parses a frame. Returns `undefined` if the text is not a JSON object. */
export function parseFrame(text: unknown, parse: (text: string) => unknown): Frame | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const value = parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Frame) : undefined;
  } catch {
    return undefined;
  }
}

export function isEvent(frame: Frame): boolean {
  return frame['type'] === 'entityCreated' || frame['type'] === 'entityUpdated' || frame['type'] === 'entityDeleted';
}
