/** What is needed of a WebSocket: what browsers, Node.js 22 and the npm package `ws` have in common. */
export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- their event types differ
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: any) => void): void;
}

/** A class of WebSockets. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** Returns the token to connect with now, or nothing to connect without one. */
export type GetToken = () => string | null | undefined | Promise<string | null | undefined>;

/** How to reach a tenant's stream. Only `url` and `tenant` are needed. All times are in milliseconds. */
export interface EntityStreamOptions {
  /** Where the server is: `ws://localhost:3000`, or `wss://{api-id}.execute-api.{region}.amazonaws.com/{stage}`. */
  url: string;
  /** Whose entities. */
  tenant: string;
  /** Asked before every connection, and again before the token expires. Throw `AuthenticationError` to give up. */
  getToken?: GetToken | undefined;
  /**
   * How the token travels. `handshake`, the default: as a sub-protocol of the handshake, never in the URL.
   * `first-message`: in the first message, which needs a server with `AUTH_IN_BAND`; a browser then learns why a token
   * is refused, which API Gateway's handshake does not tell it.
   */
  authenticate?: 'handshake' | 'first-message' | undefined;
  /** The consumer group to share the stream with: each event goes to one member. */
  groupId?: string | undefined;
  /** The WebSocket to use; the platform's own without it. Node.js has one from version 22 on. */
  WebSocket?: WebSocketConstructor | undefined;
  /** Reads JSON; `JSON.parse` without it. Give another where `data` has integers beyond 2^53. */
  parse?: ((text: string) => unknown) | undefined;
  /** How often the server is asked whether it is there [5 minutes: API Gateway closes after 10 of silence]. */
  pingIntervalMs?: number | undefined;
  /** How long it may take to answer that [10 s]. */
  pongTimeoutMs?: number | undefined;
  /** How long opening a connection may take, and `getToken` [15 s]. */
  connectTimeoutMs?: number | undefined;
  /** How long the answer to a request may take [30 s]. */
  requestTimeoutMs?: number | undefined;
  /** The ceiling of the wait after the first failure, which doubles with each [500 ms]. */
  backoffMinMs?: number | undefined;
  /** The highest ceiling [30 s]. */
  backoffMaxMs?: number | undefined;
  /** How long a connection has to last for the next failure to count as the first [30 s]. */
  stableAfterMs?: number | undefined;
  /** How long before its end a token is renewed [1 minute, but at most half of what is left]. */
  renewBeforeMs?: number | undefined;
  /** The age at which a connection is replaced, less a random tenth [110 minutes: API Gateway ends it after 120]. */
  rotateAfterMs?: number | undefined;
  /** How long the replaced connection goes on receiving what was already on its way [10 s]. */
  drainMs?: number | undefined;
  /** How many event ids are remembered to drop repeats [10,000]. */
  recentIds?: number | undefined;
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
  recentIds: 10_000,
};

/** Options, complete and checked. */
export type Settings = typeof DEFAULTS & {
  url: URL;
  tenant: string;
  getToken: GetToken | undefined;
  groupId: string | undefined;
  WebSocket: WebSocketConstructor;
  parse(text: string): unknown;
};

/** Completes options. What is wrong with them is said at once, and not by a connection that never comes. */
export function settings(options: EntityStreamOptions): Settings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = given[name];
    if (typeof usual === 'number' && value !== undefined && !(typeof value === 'number' && value >= 0)) {
      throw new TypeError(`${name} is a number that is not negative`);
    }
  }
  const authenticate = options.authenticate ?? DEFAULTS.authenticate;
  if (authenticate !== 'handshake' && authenticate !== 'first-message') {
    throw new TypeError('authenticate is "handshake" or "first-message"');
  }
  if (typeof options.tenant !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(options.tenant)) {
    throw new TypeError('tenant is 1 to 63 of A-Z a-z 0-9 _ -, starting with a letter or a digit');
  }
  if (options.groupId !== undefined && !/^[A-Za-z0-9_.-]{1,128}$/.test(options.groupId)) {
    throw new TypeError('groupId is 1 to 128 of A-Z a-z 0-9 _ - .');
  }
  const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (!WebSocket) {
    throw new TypeError('there is no WebSocket here: give one as the option WebSocket, that of the npm package ws, say');
  }
  return {
    ...DEFAULTS,
    ...(given as Partial<typeof DEFAULTS>),
    url: checkedUrl(options.url),
    tenant: options.tenant,
    getToken: options.getToken,
    authenticate,
    groupId: options.groupId,
    WebSocket,
    parse: options.parse ?? JSON.parse,
  };
}

/** Says what is wrong with a URL without repeating it: it may hold a secret. */
function checkedUrl(text: string): URL {
  const example = 'ws://localhost:3000 or wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError(`url is a WebSocket URL such as ${example}`);
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new TypeError(`url begins with ws: or wss:, such as ${example}`);
  if (url.username || url.password) throw new TypeError('url: a name or a password has no place in it; give getToken');
  if (url.searchParams.has('token')) throw new TypeError('url: a token in it ends up in logs; give getToken instead');
  if (url.searchParams.has('format')) throw new TypeError('url: leave `format` out; this client reads the default');
  for (const [name, option] of [['tenant', 'tenant'], ['group_id', 'groupId'], ['entityTypes', 'subscribe'], ['idPattern', 'subscribe']] as const) {
    if (url.searchParams.has(name)) throw new TypeError(`url: leave \`${name}\` out; it is for ${option} to say`);
  }
  url.hash = '';
  return url;
}
