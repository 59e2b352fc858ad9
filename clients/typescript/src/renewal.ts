import type { Connection } from './connection.js';
import { AuthenticationError, EntityStreamError } from './errors.js';
import type { Settings } from './options.js';
import { after } from './timer.js';
import { type RefusedToken, type TokenClock, fetchToken, proofFor } from './token.js';

/** The minimum time between two attempts to get a fresh token. */
const PAUSE_MS = 1000;

/**
 * Renews a connection's token over the connection itself. A connection receives no events after its token's end; a renewal
 * in time loses neither the connection nor an event. If the token ends without a renewal, the connection fails. All times are
 * measured with a monotonic clock.
 */
export function keepFresh(
  connection: Connection,
  first: string,
  settings: Settings,
  clock: TokenClock,
  refused: RefusedToken,
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
    const left = clock.left(token);
    if (left === undefined) return;
    const end = performance.now() + left;
    cancelEnd();
    cancelEnd = after(left, () =>
      connection.fail(new AuthenticationError('token_expired', 'the token expired before getToken returned a fresh one')),
    );
    cancel = after(left - Math.min(settings.renewBeforeMs, left / 2), () => void renew(end));
  };

  const renew = async (end: number) => {
    let fresh: string | undefined;
    try {
      fresh = await fetchToken(settings, refused);
      if (over) return;
      // Many caches return the same token until shortly before its end.
      if (fresh !== undefined && fresh !== token) {
        const proof = await proofFor(settings, fresh, connection.url, clock);
        if (over) return;
        await connection.request('authenticate', { token: fresh, ...(proof === undefined ? {} : { proof }) });
        token = fresh;
        return schedule();
      }
    } catch (error) {
      if (over) return;
      if (error instanceof AuthenticationError) refused.remember(fresh, error);
      if (error instanceof EntityStreamError) report(error);
      // Another attempt would fail as well. The current token stays valid until its end.
      if (error instanceof AuthenticationError) return;
    }
    cancel = after(Math.max(PAUSE_MS, (end - performance.now()) / 3), () => void renew(end));
  };

  schedule();
}
