import { AuthenticationError, ConnectionError, EntityStreamError, asError } from './errors.js';
import type { Settings } from './options.js';
import { within } from './timer.js';

/** The characters that are allowed in a sub-protocol. A JSON Web Token has no others. */
const SENDABLE = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Returns the token of `getToken`, or `undefined` for none. No error contains the token. */
export async function fetchToken({ getToken, connectTimeoutMs: ms }: Settings, signal?: AbortSignal): Promise<string | undefined> {
  if (!getToken) return undefined;
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
  return token;
}

/** The end of a JSON Web Token in milliseconds since 1970, by this machine's clock; `undefined` if it is unknown. */
export function expiry(token: string): number | undefined {
  const { exp, iat } = claims(token);
  if (typeof exp !== 'number') return undefined;
  if (exp * 1000 > Date.now()) return exp * 1000;
  // The server has just accepted the token, so this machine's clock is wrong. Most tokens are new when they are used.
  return typeof iat === 'number' && exp > iat ? Date.now() + (exp - iat) * 1000 : undefined;
}

function claims(token: string): { exp?: unknown; iat?: unknown } {
  try {
    const payload = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '';
    // Only numbers are read, so the bytes of `atob` need no decoding as UTF-8.
    return (JSON.parse(atob(payload)) ?? {}) as { exp?: unknown; iat?: unknown };
  } catch {
    return {};
  }
}
