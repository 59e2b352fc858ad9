import { AuthenticationError, ConnectionError, RequestError, asError } from './errors.js';
import { type Frame, type RequestErrorCode, entitiesOf, parseFrame } from './messages.js';
import type { Settings, WebSocketLike } from './options.js';
import { endOf, withoutQueries } from './refusal.js';
import { after } from './timer.js';

/** The close codes that the same message would cause again (RFC 6455, section 7.4.1), and the errors for its request. */
const FAULTS_OF_A_MESSAGE = new Map<number, RequestErrorCode>([
  [1003, 'invalid_message'],
  [1007, 'invalid_message'],
  [1009, 'message_too_large'],
]);
/** The code of a connection that ended without one (RFC 6455, section 7.1.5). */
const NO_CLOSE_FRAME = 1006;
/** The time limit for the server's answer to a close frame. */
const FAREWELL_MS = 2000;

/** The receiver of all that answers no request. */
export interface ConnectionEvents {
  /** A change of an entity, or an entity of a snapshot. */
  entity(message: Frame): void;
  /** The server has told its position in the history. */
  synced(position: unknown): void;
  /** The server keeps no history any more. */
  withoutHistory(): void;
  /** A frame could not be parsed. */
  unreadable(kind: string): void;
  /** True if a position is known, so that it is worth to ask for a later one. */
  hasPosition(): boolean;
}

interface Pending {
  action: string;
  answered(frame: Frame): void;
  failed(error: Error): void;
}

/** One WebSocket: requests and their answers, keep-alive, and the reason of its end. */
export class Connection {
  /** Resolves when the handshake has succeeded. Rejects if the connection ends before that. */
  readonly opened: Promise<void>;
  /** Resolves with the reason once the connection is no longer usable. */
  readonly ended: Promise<AuthenticationError | ConnectionError>;
  private readonly socket: WebSocketLike;
  private readonly pending = new Map<string, Pending>();
  private readonly closed: Promise<void>;
  /** The time of the last sign of life from the server, by `Date.now()` and by the monotonic clock. */
  private heard = { at: Date.now(), tick: performance.now() };
  private end: AuthenticationError | ConnectionError | undefined;
  private resolveEnded!: (reason: AuthenticationError | ConnectionError) => void;
  private isOpen = false;
  private requests = 0;
  /** The time of the last entity of a snapshot: those come before the answer. */
  private snapshotAt = -Infinity;
  private cancelPing = () => {};
  private cancelPong: (() => void) | undefined;

  /** Opens a connection. The handshake carries `token`. */
  constructor(
    private readonly settings: Settings,
    readonly url: string,
    token: string | undefined,
    hasToken: boolean,
    private readonly events: ConnectionEvents,
  ) {
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
    this.socket = open(settings, url, token);
    this.closed = new Promise((resolve) => this.listen('close', () => resolve()));
    this.opened = new Promise((resolve, reject) => {
      const cancel = after(settings.connectTimeoutMs, () =>
        this.fail(new ConnectionError('timeout', `no connection in ${settings.connectTimeoutMs} ms`)),
      );
      this.listen('open', () => {
        this.isOpen = true;
        this.hear();
        this.keepAlive();
        resolve();
      });
      void this.ended.then(reject).finally(cancel);
      this.listen('open', cancel);
    });
    // Avoids an unhandled rejection if no caller awaits `opened`.
    this.opened.catch(() => {});
    const over = (code: number, reason: string, message: string) =>
      this.finish(endOf({ opened: this.isOpen, code, reason, message, hasToken }));
    this.listen('error', ({ message }: { message?: unknown }) => {
      // The standard requires a `close` event after this one, but Node.js 20 sends none. It would contain nothing new.
      over(NO_CLOSE_FRAME, '', typeof message === 'string' ? withoutQueries(message) : '');
    });
    this.listen('close', ({ code, reason }: { code: number; reason: unknown }) => {
      const text = typeof reason === 'string' ? reason : '';
      this.blame(code, text);
      over(code, text, '');
    });
    this.listen('message', ({ data }: { data: unknown }) => this.read(data));
  }

  /**
   * Sends a request and resolves with its answer. `answered` is called before any later frame is processed. The
   * continuation of the promise may run after that.
   */
  request(action: string, fields: object, answered: (answer: Frame) => unknown = () => {}): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.end) return reject(this.end);
      const requestId = String((this.requests += 1));
      const ms = this.settings.requestTimeoutMs;
      let cancel = () => {};
      const wait = (left: number) => {
        cancel = after(left, () => {
          const more = this.snapshotAt + ms - performance.now();
          if (more > 0) wait(more);
          else this.fail(new ConnectionError('timeout', `no answer to ${action} in ${ms} ms`));
        });
      };
      wait(ms);
      this.pending.set(requestId, {
        action,
        answered: (frame) => {
          cancel();
          answered(frame);
          resolve(frame);
        },
        failed: (error) => {
          cancel();
          reject(error);
        },
      });
      this.send({ action, ...fields, requestId });
    });
  }

  /** Sends `sync`, or `ping` to a server without a history. The connection fails if the server does not answer in time. */
  ping(): void {
    if (this.end || !this.isOpen) return;
    this.cancelPing();
    const ms = this.settings.pongTimeoutMs;
    // The time limit runs from the first unanswered ping, even if others follow.
    this.cancelPong ??= after(ms, () => this.fail(new ConnectionError('timeout', `no answer to ping in ${ms} ms`)));
    this.send({ action: this.events.hasPosition() ? 'sync' : 'ping' });
    this.keepAlive();
  }

  /** Ends the connection with this error. */
  fail(error: AuthenticationError | ConnectionError): void {
    this.finish(error);
    this.socket.close();
  }

  /** Closes the connection. Resolves when the server has closed it too. */
  async close(): Promise<void> {
    this.finish(new ConnectionError('connection_lost', 'closed by this client', { closeCode: 1000 }));
    this.socket.close(1000);
    // A connection that was not open yet gets no close frame from the server.
    if (!this.isOpen) return;
    let cancel = () => {};
    await Promise.race([this.closed, new Promise<void>((resolve) => (cancel = after(FAREWELL_MS, resolve)))]);
    cancel();
  }

  /** The time when the server was last heard from. An event that it sent later may be missing. */
  get heardAt(): Date {
    return new Date(this.heard.at);
  }

  /** Resolves once nothing has arrived for `quietMs`, after `mostMs` at the latest, or when the connection has ended. */
  async quiet(quietMs: number, mostMs: number): Promise<void> {
    const stop = performance.now() + mostMs;
    while (!this.end) {
      const now = performance.now();
      const left = Math.min(this.heard.tick + quietMs, stop) - now;
      if (left <= 0) return;
      let cancel = () => {};
      await Promise.race([this.ended, new Promise<void>((resolve) => (cancel = after(left, resolve)))]);
      cancel();
    }
  }

  private listen(type: 'open' | 'message' | 'close' | 'error', listener: (event: never) => void): void {
    this.socket.addEventListener(type, listener as (event: unknown) => void);
  }

  private send(message: { action: string; requestId?: string }): void {
    const text = JSON.stringify(message);
    this.settings.debug({ kind: 'sent', what: message.action, size: text.length });
    try {
      this.socket.send(text);
    } catch {
      // The socket is closing. Its `close` event has the reason.
    }
  }

  private keepAlive(): void {
    this.cancelPing = after(this.settings.pingIntervalMs, () => this.ping());
  }

  private finish(error: AuthenticationError | ConnectionError): void {
    if (this.end) return;
    this.end = error;
    this.cancelPing();
    this.cancelPong?.();
    for (const { failed } of this.pending.values()) failed(error);
    this.pending.clear();
    this.resolveEnded(error);
  }

  private hear(): void {
    this.heard = { at: Date.now(), tick: performance.now() };
  }

  /** Fails the requests that made the server close the connection. The connection itself can be opened again. */
  private blame(code: number, reason: string): void {
    const kind = FAULTS_OF_A_MESSAGE.get(code);
    if (!kind || this.end) return;
    for (const [requestId, { action, failed }] of this.pending) {
      // A token was accepted before, so it is not the cause.
      if (action === 'authenticate') continue;
      this.pending.delete(requestId);
      failed(new RequestError(kind, `the server closed the connection because of this message: ${code} ${reason}`.trimEnd(), action));
    }
  }

  private read(data: unknown): void {
    this.hear();
    this.cancelPong?.();
    this.cancelPong = undefined;
    const frame = parseFrame(data, this.settings.parse, (kind) => this.events.unreadable(kind));
    if (!frame) return;
    const { type, requestId } = frame;
    this.settings.debug({ kind: 'received', what: typeof type === 'string' ? type : 'unknown', size: String(data).length });
    const entities = entitiesOf(frame);
    if (entities) {
      // A socket is read until it is closed: the server counts sent messages as delivered.
      for (const entity of entities) {
        if (entity['type'] === 'entitySnapshot') this.snapshotAt = performance.now();
        this.events.entity(entity);
      }
      return;
    }
    if (this.end) return;
    if (type === 'synced') return this.events.synced(frame['position']);
    if (type === undefined) return this.gatewayFailed(frame);
    const pending = typeof requestId === 'string' ? this.pending.get(requestId) : undefined;
    if (!pending) return this.complained(frame);
    this.pending.delete(requestId as string);
    if (type === 'error') pending.failed(requestError(frame, pending.action));
    else pending.answered(frame);
  }

  /** Handles an error that answers no request of a caller: it is about `ping` or `sync`, or about the connection. */
  private complained({ type, code, action }: Frame): void {
    if (type !== 'error') return;
    if (code === 'not_connected') this.fail(new ConnectionError('server_error', 'the server does not know the connection any more'));
    else if (action === 'sync' && (code === 'not_available' || code === 'unknown_action')) this.events.withoutHistory();
  }

  /** Handles API Gateway's own error, such as `Internal server error`. It does not name the failed request. */
  private gatewayFailed({ message }: Frame): void {
    if (this.pending.size === 0) return;
    this.fail(new ConnectionError('server_error', `the gateway answered: ${String(message)}`));
  }
}

/** Opens a WebSocket. Browsers throw for a forbidden URL, for example `ws:` on a page of `https:`. */
function open({ WebSocket }: Settings, url: string, token: string | undefined): WebSocketLike {
  try {
    return new WebSocket(url, token === undefined ? [] : ['access_token', token]);
  } catch (thrown) {
    // The message of the platform may contain the URL, whose query may be a secret.
    throw new ConnectionError('handshake_refused', `cannot connect: this platform refuses the URL (${asError(thrown).name})`);
  }
}

/** Returns the error for an `error` answer. Some codes concern the connection and not the request. */
function requestError(frame: Frame, action: string): Error {
  const code = String(frame['code']) as RequestErrorCode;
  const message = typeof frame['message'] === 'string' ? frame['message'] : 'the server gave no reason';
  // The token is valid, and can be accepted on a later connection.
  const later = action === 'authenticate' && (code === 'limit_exceeded' || code === 'conflict');
  // The caller tries these again by itself.
  const again = code === 'internal' && !['snapshot', 'subscribe', 'unsubscribe'].includes(action);
  if (again || code === 'not_connected' || later) return new ConnectionError('server_error', message);
  if (code === 'unauthorized' || code === 'forbidden') return new AuthenticationError('refused', message);
  const { subscription } = frame;
  return new RequestError(code, message, action, typeof subscription === 'string' ? subscription : undefined);
}
