import type { Connection } from './connection.js';
import { AuthenticationError, EntityStreamError } from './errors.js';
import type { Settings } from './options.js';
import { after } from './timer.js';
import { expiry, fetchToken } from './token.js';

/** The least time between two attempts to get a fresh token. */
const PAUSE_MS = 1000;

/**
 * Keeps a connection's token fresh, in band: nothing is delivered after a token's end, and a token that is renewed in
 * time costs neither a connection nor an event. At the end of a token that was not renewed the connection has failed.
 */
export function keepFresh(
  connection: Connection,
  first: string,
  settings: Settings,
  report: (error: EntityStreamError) => void,
): void {
  let token = first;
  let cancel = () => {};
  let cancelEnd = () => {};
  let over = false;
  void connection.ended.then(() => {
    over = true;
    cancel();
    cancelEnd();
  });

  const schedule = () => {
    const end = expiry(token);
    if (end === undefined) return;
    const left = end - Date.now();
    cancelEnd();
    cancelEnd = after(left, () =>
      connection.fail(new AuthenticationError('token_expired', 'the token expired, and no fresh one came in time')),
    );
    cancel = after(left - Math.min(settings.renewBeforeMs, left / 2), () => void renew(end));
  };

  const renew = async (end: number) => {
    try {
      const fresh = await fetchToken(settings);
      if (over) return;
      // Many a cache hands out the same token until shortly before its end.
      if (fresh !== undefined && fresh !== token) {
        await connection.request('authenticate', { token: fresh });
        token = fresh;
        return schedule();
      }
    } catch (error) {
      if (over) return;
      if (error instanceof EntityStreamError) report(error);
      // Another attempt would meet the same; what is left of the token is not lost by that.
      if (error instanceof AuthenticationError) return;
    }
    cancel = after(Math.max(PAUSE_MS, (end - Date.now()) / 3), () => void renew(end));
  };

  schedule();
}
