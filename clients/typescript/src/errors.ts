import type { RequestErrorCode } from './messages.js';

/** What every error of this library is. */
export class EntityStreamError extends Error {
  override name = 'EntityStreamError';
  /** Names what happened, for programs. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The server did not honour a request; nothing has changed. */
export class RequestError extends EntityStreamError {
  override name = 'RequestError';
  declare readonly code: RequestErrorCode;
  /** The request: `subscribe`, say. */
  readonly action: string;

  constructor(code: RequestErrorCode, message: string, action: string) {
    super(code, message);
    this.action = action;
  }
}

/** What an {@link AuthenticationError} can be about. */
export type AuthenticationErrorCode =
  /** The server refused the connection: there is no token, or it is not accepted, or it is for another tenant. */
  | 'refused'
  /** The token expired, and no fresh one came in time. */
  | 'token_expired'
  /** What `getToken` returned cannot be sent. */
  | 'invalid_token'
  /** For a `getToken` to throw when nobody is logged in any more: no further attempt is made. */
  | 'logged_out';

/** The server does not let this client listen. Another attempt with the same token would fail as well. */
export class AuthenticationError extends EntityStreamError {
  override name = 'AuthenticationError';
  declare readonly code: AuthenticationErrorCode;
  /** The handshake's HTTP status, where the WebSocket implementation tells it; browsers do not. */
  readonly status: number | undefined;

  constructor(code: AuthenticationErrorCode, message: string, options?: { status?: number | undefined; cause?: unknown }) {
    super(code, message, options);
    this.status = options?.status;
  }
}

/** What a {@link ConnectionError} can be about. */
export type ConnectionErrorCode =
  /** The connection could not be opened. A browser does not say why: the server may have refused the handshake. */
  | 'connect_failed'
  /** The server refused the handshake for a reason that another attempt would meet again. */
  | 'handshake_refused'
  /** An open connection ended. */
  | 'connection_lost'
  /** No answer came in time. */
  | 'timeout'
  /** `getToken` failed, or took too long. */
  | 'token_unavailable'
  /** The server is there, and cannot serve just now. */
  | 'server_error';

/** There is no connection, or no longer one. */
export class ConnectionError extends EntityStreamError {
  override name = 'ConnectionError';
  declare readonly code: ConnectionErrorCode;
  /** The WebSocket close code, if it came to a close. */
  readonly closeCode: number | undefined;
  /** The handshake's HTTP status, where the WebSocket implementation tells it; browsers do not. */
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

/** An iterator's consumer was too slow: events were dropped. */
export class OverflowError extends EntityStreamError {
  override name = 'OverflowError';
  declare readonly code: 'overflow';

  constructor(capacity: number) {
    super('overflow', `an iterator's buffer of ${capacity} events is full; take events faster, or give it more capacity`);
  }
}

/** The stream was closed before this was done. */
export class ClosedError extends EntityStreamError {
  override name = 'ClosedError';
  declare readonly code: 'closed';

  constructor() {
    super('closed', 'the stream has been closed');
  }
}

/** The error that something thrown is. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
