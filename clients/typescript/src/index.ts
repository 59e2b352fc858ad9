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
export type { EntityEvent, Filter, RequestErrorCode } from './messages.js';
export type { EntityStreamOptions, GetToken, WebSocketConstructor, WebSocketLike } from './options.js';
export { EntityStream, type EntityStreamEvents, type StateChange } from './stream.js';
export type { StateDetail, StreamState } from './supervisor.js';
