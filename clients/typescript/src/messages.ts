import { asError } from './errors.js';

/** A kind of change that a subscription can select. */
export type ChangeKind = 'entityCreated' | 'entityUpdated' | 'entityDeleted';

/** A geo-query of NGSI-LD. */
export interface GeoQuery {
  /** The relation, for example `near;maxDistance==2000` or `within`. */
  georel: string;
  geometry: 'Point' | 'MultiPoint' | 'LineString' | 'MultiLineString' | 'Polygon' | 'MultiPolygon';
  /** The coordinates of GeoJSON, the longitude first. */
  coordinates: readonly unknown[];
  /** The attribute with the entity's geometry [`location`]. */
  geoproperty?: string | undefined;
}

/** The filter and the view of entities. A field that is absent or empty does not restrict. */
export interface EntityFilter {
  /** At most 49 entity types; an entity of any of them matches. */
  entityTypes?: readonly string[] | undefined;
  /** At most 49 entity ids; an entity with any of them matches. */
  entityIds?: readonly string[] | undefined;
  /** A regular expression in the syntax of Rust's `regex` crate, matched anywhere in the entity id unless it is anchored. */
  idPattern?: string | undefined;
  /** A query in the language of NGSI-LD on attribute values, for example `temperature>25;humidity<40`. */
  q?: string | undefined;
  geoQ?: GeoQuery | undefined;
  /** A `Fiware-ServicePath`; with `/#` at its end, everything below it as well. */
  servicePath?: string | undefined;
  /** The attributes that `data` shows; by default all. */
  attributes?: readonly string[] | undefined;
  /** `keyValues` shows each attribute as its bare value. */
  representation?: 'normalized' | 'keyValues' | undefined;
  /** Events have `previous`, the former values of the attributes that changed. */
  showChanges?: boolean | undefined;
}

/** The filter and the view of a subscription. */
export interface Filter extends EntityFilter {
  /** The kinds of change that match; by default all. */
  notificationTrigger?: readonly ChangeKind[] | undefined;
  /** An update matches only if it changed one of these attributes. */
  watchedAttributes?: readonly string[] | undefined;
  /** `data` has all attributes of the entity as last known, and not only those that the publisher sent. */
  wholeEntity?: boolean | undefined;
}

/** A place in the history, which a program can store and pass as `since` later. */
export interface Bookmark {
  position: string;
  session: string;
}

/** The events before a subscription that it begins with. */
export type Since = Bookmark | { seconds: number };

/** The reasons for which the server cannot promise that no event is missing. A later version may add reasons. */
export type NotRecoveredReason = 'expired' | 'too_many' | 'unknown_position' | 'unavailable';

interface EntityMessage<Data> {
  tenant: string;
  servicePath: string;
  entityId: string;
  /** An array for an entity with several types. */
  entityType: string | string[];
  /** The attributes, in the view of the subscription; empty if `truncated`. */
  data?: Data;
  /** The publisher's time of the change. */
  timestamp: string;
  /** The names of the subscriptions on the connection that match. */
  subscriptions?: string[];
  /** The version of the entity. It grows with each change of the entity. Absent if the service does not keep its state. */
  version?: number;
  /** The service does not know the whole entity. */
  partial?: true;
  /** The message was too large to be delivered with its `data`. */
  truncated?: true;
  /** The size of the missing `data`, in bytes. */
  dataBytes?: number;
  /** The service keeps states, but none of this entity. */
  state?: 'unavailable';
}

/** A change of an entity. */
export interface EntityEvent<Data = Record<string, unknown>> extends EntityMessage<Data> {
  /** `entityLeft`: the entity does not match `q` or `geoQ` any more. It has no `data`. */
  type: ChangeKind | 'entityLeft';
  /** The event's id, the same in every redelivery. The client has already dropped repeats. */
  id: string;
  /** Present on updates only, if the publisher sent it. */
  changedAttributes?: string[];
  /** The former values of the attributes that changed, with `showChanges`. */
  previous?: Partial<Data>;
  /** The JSON-LD context of the names in `data`, if the publisher sent one. */
  '@context'?: string | object;
  /** The place of the event in the history, if the service keeps one. */
  position?: string;
  /** The event comes from the history. */
  replayed?: true;
  /** The service had a newer change of the entity already. */
  late?: true;
}

/** An entity of a snapshot. */
export interface EntitySnapshot<Data = Record<string, unknown>> extends EntityMessage<Data> {
  type: 'entitySnapshot';
}

/** The codes of the wire contract's `error` answers. */
export type RequestErrorCode =
  | 'invalid_json'
  | 'invalid_message'
  | 'unknown_action'
  | 'invalid_entity_types'
  | 'invalid_entity_ids'
  | 'invalid_id_pattern'
  | 'invalid_q'
  | 'invalid_geo_q'
  | 'invalid_subscription'
  | 'invalid_since'
  | 'invalid_snapshot_token'
  | 'not_subscribed'
  | 'not_available'
  | 'unauthorized'
  | 'forbidden'
  | 'message_too_large'
  | 'limit_exceeded'
  | 'conflict'
  | 'not_connected'
  | 'internal';

/** A frame from the server, with unchecked fields. */
export type Frame = { readonly [name: string]: unknown };

/** Parses a frame. Returns `undefined` if the text is not a JSON object. `unreadable` gets the kind of error that `parse` throws. */
export function parseFrame(text: unknown, parse: (text: string) => unknown, unreadable: (kind: string) => void = () => {}): Frame | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const value = parse(text);
    return isFrame(value) ? value : undefined;
  } catch (error) {
    // Its message may have a value of an entity.
    unreadable(asError(error).name);
    return undefined;
  }
}

const KINDS = new Set<unknown>(['entityCreated', 'entityUpdated', 'entityDeleted', 'entityLeft', 'entitySnapshot']);

/** The changes and entities in a frame: those of an `events` frame, or the frame itself. `undefined` for any other frame. */
export function entitiesOf(frame: Frame): Frame[] | undefined {
  if (frame['type'] === 'events') return Array.isArray(frame['events']) ? frame['events'].filter(isEntity) : [];
  return isEntity(frame) ? [frame] : undefined;
}

function isEntity(value: unknown): value is Frame {
  return isFrame(value) && KINDS.has(value['type']) && typeof value['entityId'] === 'string';
}

function isFrame(value: unknown): value is Frame {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
