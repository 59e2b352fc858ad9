import { Connection } from './connection.js';
import type { EntityStreamError } from './errors.js';
import type { EntityEvent } from './messages.js';
import { Intake } from './intake.js';
import type { Settings } from './options.js';
import { keepFresh } from './renewal.js';
import type { Link, Subscription } from './subscription.js';
import type { TokenClock } from './token.js';
import { knownToBeValid, target } from './url.js';

/** The receivers of a link's events and errors. */
export interface LinkEvents {
  event(event: EntityEvent): void;
  trouble(error: EntityStreamError): void;
}

/**
 * Opens a connection and authenticates it. Resolves once the accepted filter of `subscription` is in force on it. If the
 * server has not accepted a filter yet, resolves once all pending changes have been sent and answered. Closes the
 * connection if `signal` aborts.
 */
export async function openLink(
  settings: Settings,
  token: string | undefined,
  subscription: Subscription,
  events: LinkEvents,
  clock: TokenClock,
  signal: AbortSignal,
): Promise<Link> {
  const { accepted } = subscription;
  const { url, filtered } = target(settings, accepted ?? knownToBeValid(subscription.wanted ?? {}));
  const inBand = settings.authenticate === 'first-message' && token !== undefined;
  const connection = new Connection(settings, url, inBand ? undefined : token, token !== undefined, (frame) => intake.take(frame));
  // A filter in the URL is in force from the first moment. A filter that does not fit needs an acknowledgement first.
  const link: Link = { connection, filter: filtered ? accepted : undefined, acknowledged: false };
  const intake = new Intake(link, subscription, settings.groupId !== undefined, events.event);
  const abort = () => void connection.close();
  signal.addEventListener('abort', abort);
  try {
    await connection.opened;
    if (inBand) await connection.request('authenticate', { token });
    if (accepted) await subscription.restore(link);
    else await subscription.ask(() => link);
    intake.release();
  } catch (error) {
    const closed = connection.close();
    if (signal.aborted) await closed;
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  if (token !== undefined) keepFresh(connection, token, settings, clock, events.trouble);
  return link;
}
