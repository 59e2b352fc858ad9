import { AuthenticationError, ConnectionError, EntityStreamError, asError } from './errors.js';
import type { Settings } from './options.js';
import { within } from './timer.js';

/** The characters that a sub-protocol may have. A JSON Web Token has no others. */
const SENDABLE = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** A token from `getToken`, or `undefined` to do without one. No error tells what it is. */
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
    const message = 'getToken returned something that is no token; return the token alone, without `Bearer`';
    throw new AuthenticationError('invalid_token', message);
  }
  return token;
}

/** When a JSON Web Token ends, in milliseconds since 1970 by this machine's clock; `undefined` if that is not known. */
export function expiry(token: string): number | undefined {
  const { exp, iat } = claims(token);
  if (typeof exp !== 'number') return undefined;
  if (exp * 1000 > Date.now()) return exp * 1000;
  // The server has just accepted it, so it is this machine's clock that is wrong. A token is mostly quite new.
  return typeof iat === 'number' && exp > iat ? Date.now() + (exp - iat) * 1000 : undefined;
}

function claims(token: string): { exp?: unknown; iat?: unknown } {
  try {
    const payload = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/') ?? '';
    // Only numbers are read, so that it does not matter that `atob` yields bytes and not UTF-8.
    return (JSON.parse(atob(payload)) ?? {}) as { exp?: unknown; iat?: unknown };
  } catch {
    return {};
  }
}
