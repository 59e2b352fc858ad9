import type { RequestErrorCode } from './messages.js';

/** The base class of all errors of this library. */
export class EntityStreamError extends Error {
  override name = 'EntityStreamError';
  /** The kind of error, for programs. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The server refused a request, which changed nothing. */
export class RequestError extends EntityStreamError {
  override name = 'RequestError';
  declare readonly code: RequestErrorCode;
  /** The action of the request, for example `subscribe`. */
  readonly action: string;
  /** The name of the subscription at fault, if the server named one. */
  readonly subscription: string | undefined;

  constructor(code: RequestErrorCode, message: string, action: string, subscription?: string) {
    super(code, message);
    this.action = action;
    this.subscription = subscription;
  }
}

/** The codes of an {@link AuthenticationError}. */
export type AuthenticationErrorCode =
  /** The server refused the connection. The token is missing, invalid, or for another tenant. */
  | 'refused'
  /** The token expired before the client had a fresh one. */
  | 'token_expired'
  /** `getToken` returned a value that cannot be sent. */
  | 'invalid_token'
  /** For `getToken` to throw if the user is logged out. The client makes no further attempt. */
  | 'logged_out';

/** The server does not allow this client to listen. Another attempt with the same token would fail as well. */
export class AuthenticationError extends EntityStreamError {
  override name = 'AuthenticationError';
  declare readonly code: AuthenticationErrorCode;
  /** The HTTP status of the handshake, if the WebSocket implementation provides it. Browsers do not. */
  readonly status: number | undefined;

  constructor(code: AuthenticationErrorCode, message: string, options?: { status?: number | undefined; cause?: unknown }) {
    super(code, message, options);
    this.status = options?.status;
  }
}

/** The codes of a {@link ConnectionError}. */
export type ConnectionErrorCode =
  /** The connection could not be opened. The server may have refused the handshake; browsers do not tell the reason. */
  | 'connect_failed'
  /** The server refused the handshake permanently. Another attempt would fail as well. */
  | 'handshake_refused'
  /** An open connection ended. */
  | 'connection_lost'
  /** No answer came in time. */
  | 'timeout'
  /** `getToken` failed, or took too long. */
  | 'token_unavailable'
  /** The function `load` of a live collection failed. It is called again. */
  | 'load_failed'
  /** The server answered that it cannot serve at the moment. */
  | 'server_error';

/** The connection could not be opened, or has ended. */
export class ConnectionError extends EntityStreamError {
  override name = 'ConnectionError';
  declare readonly code: ConnectionErrorCode;
  /** The WebSocket close code, if the socket was closed. */
  readonly closeCode: number | undefined;
  /** The HTTP status of the handshake, if the WebSocket implementation provides it. Browsers do not. */
  readonly status: number | undefined;

  constructor(
    code: ConnectionErrorCode,
    message: string,
    options?: { closeCode?: number | undefined; status?: number | undefined; cause?: unknown },
  ) {
    super(code, message, options);
    this.closeCode = options?.closeCode;
    this.status = options?.status;
  }
}

/** The server refused to resume because the last time was a moment ago. @internal */
export class TooSoonError extends ConnectionError {
  /** The time in which a client may resume once. */
  readonly waitMs = 10_000;

  constructor(message: string) {
    super('server_error', message);
  }
}

/** The consumer of an iterator was too slow, and events were dropped. */
export class OverflowError extends EntityStreamError {
  override name = 'OverflowError';
  declare readonly code: 'overflow';

  constructor(capacity: number) {
    super('overflow', `an iterator's buffer of ${capacity} events is full; read events faster, or raise its capacity`);
  }
}

/** The stream was closed before the operation ended. */
export class ClosedError extends EntityStreamError {
  override name = 'ClosedError';
  declare readonly code: 'closed';

  constructor() {
    super('closed', 'the stream or the subscription has been closed');
  }
}

/** Converts a thrown value to an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** True if another attempt would fail as well, with any token. @internal */
export function isFinal(error: EntityStreamError): boolean {
  if (error instanceof AuthenticationError) return error.code === 'invalid_token' || error.code === 'logged_out';
  if (error instanceof ConnectionError) return error.code === 'handshake_refused';
  return error instanceof RequestError || error.code === 'internal';
}
