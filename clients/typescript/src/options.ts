import { checkedNumber, checkedType } from './checked.js';
import type { DpopKeyPair } from './dpop.js';
import { shielded } from './uncaught.js';
import { refuseUnknown } from './unknown.js';
import { checkedUrl } from './url.js';

/** The parts of a WebSocket that this library uses. Browsers, Node.js 22 and the npm package `ws` all have them. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- their event types differ
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: any) => void): void;
}

/** A class of WebSockets. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** Returns the token for the next connection. An empty result connects without a token. */
export type GetToken = () => string | null | undefined | Promise<string | null | undefined>;

/** A key to which tokens are bound (DPoP). The private key may be one that no script can read. */
export interface DpopOptions {
  keyPair: DpopKeyPair;
}

/** An entry for the `debug` function. No entry has a token or a value of an entity. */
export type DebugEntry =
  /** A message was sent or received: its action or type, and its size in characters. */
  | { kind: 'sent' | 'received'; what: string; size: number }
  /** The stream has changed its state. */
  | { kind: 'state'; what: string; error?: string | undefined };

/** The options of a stream. Only `url` and `tenant` are required. All times are in milliseconds. */
export interface EntityStreamOptions {
  /** The URL of the server: `ws://localhost:3000`, or `wss://{api-id}.execute-api.{region}.amazonaws.com/{stage}`. */
  url: string;
  /** The tenant whose entities are streamed. */
  tenant: string;
  /** Called before every connection, and again before the token expires. Throw `AuthenticationError` to give up. */
  getToken?: GetToken | undefined;
  /**
   * The way of the token. `handshake`, the default, sends it as a sub-protocol of the handshake, never in the URL.
   * `first-message` sends it in the first message and needs a server with `AUTH_IN_BAND`. Browsers then learn the reason
   * of a refusal, which they cannot read from API Gateway's handshake.
   */
  authenticate?: 'handshake' | 'first-message' | undefined;
  /** The key to which the tokens are bound, if they are. `generateDpopKey` makes one. */
  dpop?: DpopOptions | undefined;
  /** The consumer group that shares the stream. Each event goes to one member. */
  groupId?: string | undefined;
  /** The WebSocket class. The default is the platform's own; Node.js has one from version 22 on. */
  WebSocket?: WebSocketConstructor | undefined;
  /** Parses JSON. The default is `JSON.parse`. Pass another function if `data` has integers beyond 2^53. */
  parse?: ((text: string) => unknown) | undefined;
  /** Called with each message that is sent or received, by kind and size, and with each state. */
  debug?: ((entry: DebugEntry) => void) | undefined;
  /** The time between two `sync` or `ping` messages [5 minutes: API Gateway closes after 10 minutes of silence]. */
  pingIntervalMs?: number | undefined;
  /** The time limit for the answer to `sync` or `ping` [10 s]. */
  pongTimeoutMs?: number | undefined;
  /** The time limit for opening a connection, and for `getToken` [15 s]. */
  connectTimeoutMs?: number | undefined;
  /** The time limit for the answer to a request [30 s]. */
  requestTimeoutMs?: number | undefined;
  /** The ceiling of the wait after the first failure. It doubles with each further failure [500 ms]. */
  backoffMinMs?: number | undefined;
  /** The highest ceiling of a wait [30 s]. */
  backoffMaxMs?: number | undefined;
  /** The age from which the failure of a connection counts as the first failure [30 s]. */
  stableAfterMs?: number | undefined;
  /** The time before a token's end at which it is renewed [1 minute, at most half of its remaining life]. */
  renewBeforeMs?: number | undefined;
  /** The age at which a connection is replaced, less up to a tenth [110 minutes: API Gateway ends it after 120]. */
  rotateAfterMs?: number | undefined;
  /** The time for which a replaced connection still receives events that are under way, and the longest time for leaving a group [10 s]. */
  drainMs?: number | undefined;
}

const DEFAULTS = {
  authenticate: 'handshake' as 'handshake' | 'first-message',
  pingIntervalMs: 5 * 60_000,
  pongTimeoutMs: 10_000,
  connectTimeoutMs: 15_000,
  requestTimeoutMs: 30_000,
  backoffMinMs: 500,
  backoffMaxMs: 30_000,
  stableAfterMs: 30_000,
  renewBeforeMs: 60_000,
  rotateAfterMs: 110 * 60_000,
  drainMs: 10_000,
};

/** The names of all options. */
export const STREAM_OPTIONS: readonly (keyof EntityStreamOptions)[] = [
  'url', 'tenant', 'getToken', 'dpop', 'groupId', 'WebSocket', 'parse', 'debug', ...(Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]),
];

/** Complete and checked options. */
export type Settings = typeof DEFAULTS & {
  url: string;
  tenant: string;
  getToken: GetToken | undefined;
  dpop: DpopOptions | undefined;
  groupId: string | undefined;
  WebSocket: WebSocketConstructor;
  parse(text: string): unknown;
  debug(entry: DebugEntry): void;
};

/** Completes and checks options. Throws at once for an invalid option. */
export function settings(options: EntityStreamOptions): Settings {
  refuseUnknown('a stream', options, STREAM_OPTIONS);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    if (typeof usual === 'number') checkedNumber(name, given[name], 0);
  }
  for (const name of ['getToken', 'parse', 'debug', 'WebSocket'] as const) checkedType(name, options[name], 'function');
  checkedType('groupId', options.groupId, 'string');
  const authenticate = options.authenticate ?? DEFAULTS.authenticate;
  if (authenticate !== 'handshake' && authenticate !== 'first-message') {
    throw new TypeError('authenticate has to be "handshake" or "first-message"');
  }
  if (typeof options.tenant !== 'string' || !/^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(options.tenant)) {
    throw new TypeError('tenant has to be 1 to 63 characters of A-Z a-z 0-9 _ -, beginning with a letter, a digit or _');
  }
  if (options.groupId !== undefined && !/^[A-Za-z0-9_.-]{1,128}$/.test(options.groupId)) {
    throw new TypeError('groupId has to be 1 to 128 characters of A-Z a-z 0-9 _ - .');
  }
  if (options.dpop !== undefined) refuseUnknown('dpop', options.dpop, ['keyPair']);
  if (options.dpop !== undefined && !(options.dpop.keyPair?.privateKey && options.dpop.keyPair.publicKey)) {
    throw new TypeError('dpop has to have a keyPair; generateDpopKey() makes one');
  }
  const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (!WebSocket) {
    throw new TypeError('this platform has no WebSocket: pass a class as the option WebSocket, for example from the npm package ws');
  }
  return {
    ...DEFAULTS,
    ...(given as Partial<typeof DEFAULTS>),
    url: checkedUrl(options.url),
    tenant: options.tenant,
    getToken: options.getToken,
    dpop: options.dpop,
    authenticate,
    groupId: options.groupId,
    WebSocket,
    parse: options.parse ?? JSON.parse,
    debug: careful(options.debug),
  };
}

/** A `debug` function whose errors the program sees as uncaught, and which cannot disturb the stream. */
function careful(debug: EntityStreamOptions['debug']): Settings['debug'] {
  if (!debug) return () => {};
  return (entry) => shielded(() => debug(entry));
}
