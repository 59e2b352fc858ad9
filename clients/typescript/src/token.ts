import { AuthenticationError, ClosedError, ConnectionError, EntityStreamError, asError } from './errors.js';
import { prove } from './dpop.js';
import type { Settings } from './options.js';
import { within } from './timer.js';

/** The characters that are allowed in a sub-protocol. A JSON Web Token has no others. */
const SENDABLE = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** The token that the server has refused last. The client does not send it again. */
export class RefusedToken {
  private last: { token: string; error: AuthenticationError } | undefined;

  /** Remembers the token if the server has refused it. */
  remember(token: string | undefined, error: AuthenticationError): void {
    if (token !== undefined && error.code === 'refused') this.last = { token, error };
  }

  /** Throws the reason if this is the token. */
  check(token: string): void {
    if (this.last?.token === token) throw this.last.error;
  }

  forget(): void {
    this.last = undefined;
  }
}

/** Returns the token of `getToken`, or `undefined` for none. Throws if the server has refused it. No error contains the token. */
export async function fetchToken({ getToken, connectTimeoutMs: ms }: Settings, refused: RefusedToken, signal?: AbortSignal): Promise<string | undefined> {
  if (!getToken) return undefined;
  if (signal?.aborted) throw new ClosedError();
  let token: unknown;
  try {
    const late = () => new ConnectionError('token_unavailable', `getToken returned nothing in ${ms} ms`);
    token = await within(ms, Promise.resolve(getToken()), late, signal);
  } catch (thrown) {
    if (thrown instanceof EntityStreamError) throw thrown;
    throw new ConnectionError('token_unavailable', `getToken failed: ${asError(thrown).message}`, { cause: thrown });
  }
  if (token === undefined || token === null || token === '') return undefined;
  if (typeof token !== 'string' || !SENDABLE.test(token)) {
    const message = 'getToken returned a value that is not a token; return only the token, without `Bearer`';
    throw new AuthenticationError('invalid_token', message);
  }
  refused.check(token);
  return token;
}

/**
 * Estimates how long tokens are valid without trusting this machine's clock. The server has accepted a token, so the token
 * is valid; a token from the future proves that this clock is behind, and by how much at least.
 */
export class TokenClock {
  /** The proven lag of this machine's clock, in milliseconds. */
  private lag = 0;

  /** The time of day in milliseconds, as far as this token and those before it prove it. */
  now(token: string): number {
    const now = Date.now();
    const { iat } = claims(token);
    if (typeof iat === 'number') this.lag = Math.max(this.lag, iat * 1000 - now);
    return now + this.lag;
  }

  /** The remaining life of an accepted token in milliseconds, never more than its whole life; `undefined` if it is unknown. */
  left(token: string): number | undefined {
    const { exp, iat } = claims(token);
    if (typeof exp !== 'number') return undefined;
    const life = typeof iat === 'number' && exp > iat ? (exp - iat) * 1000 : undefined;
    const left = exp * 1000 - this.now(token);
    // The clock is ahead: by its own time the token is over. Most tokens are new when they are used.
    if (left <= 0) return life;
    return life === undefined ? left : Math.min(left, life);
  }
}

/** A proof of possession for this token, or `undefined` if the token is certainly bound to no key. */
export async function proofFor({ dpop }: Settings, token: string, url: string, clock: TokenClock): Promise<string | undefined> {
  if (!dpop) return undefined;
  const { cnf, exp } = claims(token);
  if (exp !== undefined && cnf === undefined) return undefined;
  return prove(dpop.keyPair, token, url, clock.now(token));
}

function claims(token: string): { exp?: unknown; iat?: unknown; cnf?: unknown } {
  try {
    const payload = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '';
    // No text is read, so the bytes of `atob` need no decoding as UTF-8.
    return (JSON.parse(atob(payload)) ?? {}) as { exp?: unknown; iat?: unknown; cnf?: unknown };
  } catch {
    return {};
  }
}
