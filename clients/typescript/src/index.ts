export type { EntityChange } from './collection.js';
export { type DpopKey, type DpopKeyPair, dpopThumbprint, generateDpopKey } from './dpop.js';
export { Entities, type EntitiesEvents } from './entities.js';
export type { Entity } from './entity.js';
export {
  AuthenticationError,
  type AuthenticationErrorCode,
  ClosedError,
  ConnectionError,
  type ConnectionErrorCode,
  EntityStreamError,
  OverflowError,
  RequestError,
} from './errors.js';
export type { EventIterator, IteratorOptions } from './iterator.js';
export type { EntitiesOptions, EntitiesUpdateOptions, LoadedEntity } from './live.js';
export type {
  Bookmark,
  ChangeKind,
  EntityEvent,
  EntityFilter,
  EntitySnapshot,
  Filter,
  GeoQuery,
  NotRecoveredReason,
  RequestErrorCode,
  Since,
} from './messages.js';
export type { DebugEntry, DpopOptions, EntityStreamOptions, GetToken, WebSocketConstructor, WebSocketLike } from './options.js';
export { EntityStream, type EntityStreamEvents, type StateChange } from './stream.js';
export { type NotRecovered, type Recovered, type SubscribeOptions, Subscription, type SubscriptionEvents, type SubscriptionState } from './subscription.js';
export type { StateDetail, StreamState } from './supervisor.js';
export type { EntityView, ViewOptions } from './view.js';
