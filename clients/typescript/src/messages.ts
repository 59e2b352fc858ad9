/** What a subscription asks for. A field that is absent or empty does not restrict. */
export interface Filter {
  /** At most 50 entity types; a change of any of them matches. */
  entityTypes?: readonly string[] | undefined;
  /** A regular expression in the syntax of Rust's `regex` crate, matched anywhere in the entity id unless anchored. */
  idPattern?: string | undefined;
}

/** A change of an entity. */
export interface EntityEvent {
  type: 'entityCreated' | 'entityUpdated' | 'entityDeleted';
  /** The event's id, the same in every redelivery. Repeats have been dropped. */
  id: string;
  tenant: string;
  servicePath: string;
  entityId: string;
  /** An array for an entity with several types. */
  entityType: string | string[];
  /** The entity as it was published; absent if `truncated`. */
  data?: Record<string, unknown>;
  /** On updates only, if the publisher said so. */
  changedAttributes?: string[];
  /** When it happened, by the publisher. Order events by this, not by their arrival. */
  timestamp: string;
  /** The event was too large to be delivered with its `data`. */
  truncated?: true;
  /** The size of the `data` that is missing. */
  dataBytes?: number;
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
  | 'not_connected'
  | 'internal';

/** A frame from the server, as far as it has been looked at. */
export type Frame = { readonly [name: string]: unknown };

/** The frame that a text holds, or `undefined` for what is no JSON object. */
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
