import { Backoff } from './backoff.js';
import { AuthenticationError, ConnectionError, EntityStreamError, RequestError, asError } from './errors.js';
import { type LinkEvents, openLink } from './link.js';
import type { Settings } from './options.js';
import type { Link, Subscription } from './subscription.js';
import { after } from './timer.js';
import { TokenClock, fetchToken } from './token.js';

/** The state of a stream. */
export type StreamState =
  /** There is no subscription and no connection. */
  | 'idle'
  /** An attempt to connect is under way. */
  | 'connecting'
  /** The server has acknowledged the subscription. Matching changes that are published now are delivered. */
  | 'connected'
  /** The last attempt or connection failed. The next attempt follows after a wait. */
  | 'waiting'
  /** Another attempt would fail as well. `subscribe` makes another attempt. */
  | 'failed'
  /** `close` was called. */
  | 'closed';

/** The details of a change of state. */
export interface StateDetail {
  /** The reason, for `waiting` and `failed`. */
  error?: EntityStreamError;
  /** The time until the next attempt, for `waiting`. */
  retryInMs?: number;
  /** For `connected` after an interruption: the client may have missed changes that were published since then. */
  missedSince?: Date;
}

export interface SupervisorEvents extends LinkEvents {
  state(state: StreamState, detail: StateDetail): void;
}

/** The silence after which a connection that has left its group gets no more events. */
const QUIET_MS = 1000;

/** Keeps a subscription connected. It reconnects after failures and replaces connections before their end. */
export class Supervisor {
  private readonly backoff: Backoff;
  private readonly clock = new TokenClock();
  private readonly links = new Set<Link>();
  private active: Link | undefined;
  private running: Promise<void> | undefined;
  private rotation: AbortController | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly settings: Settings,
    private readonly subscription: Subscription,
    private readonly events: SupervisorEvents,
  ) {
    this.backoff = new Backoff(settings.backoffMinMs, settings.backoffMaxMs);
  }

  /** Sends the pending changes of the subscription. Connects first if necessary. */
  proceed(): void {
    if (this.active) return this.ask(this.active);
    // Without a subscription, no connection is needed, and the wait ends.
    if (!this.subscription.isWanted) this.backoff.skip();
    this.running ??= this.run().finally(() => {
      this.running = undefined;
      // A listener may have subscribed again when it received the last state.
      if (this.subscription.isWanted && !this.stopping.signal.aborted) this.proceed();
    });
  }

  /** Ends the wait and checks the connection, because the network is back or the page has become visible. */
  wake(): void {
    this.backoff.skip();
    this.active?.connection.ping();
  }

  /** Closes all connections permanently, after they have left their group. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.rotation?.abort();
    this.backoff.skip();
    await Promise.all([...this.links].map((link) => this.leave(link)));
    await this.running;
  }

  /** Closes a connection. A member of a group first leaves it, and takes the events that are already assigned to it. */
  private async leave({ connection, acknowledged }: Link): Promise<void> {
    if (this.settings.groupId !== undefined && acknowledged) {
      const left = await connection.request('unsubscribe', {}).catch(() => undefined);
      if (left) await connection.quiet(QUIET_MS, this.settings.drainMs);
    }
    await connection.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    let missedSince: Date | undefined;
    let refused: { token: string | undefined; error: AuthenticationError } | undefined;
    while (!signal.aborted) {
      if (!this.subscription.isWanted) {
        this.subscription.settleWithoutConnection();
        return this.events.state('idle', {});
      }
      this.events.state('connecting', {});
      let token: string | undefined;
      let error: Error;
      try {
        token = await fetchToken(this.settings, signal);
        if (signal.aborted) return;
        if (refused && refused.token === token) throw refused.error;
        const link = await this.open(token, signal);
        refused = undefined;
        if (this.subscription.accepted) {
          this.promote(link);
          this.events.state('connected', missedSince ? { missedSince } : {});
          ({ error, missedSince } = await this.untilLost());
        } else {
          // The server has refused every filter, or nothing is wanted any more. The next `subscribe` begins anew.
          await link.connection.close();
          continue;
        }
      } catch (thrown) {
        error = asError(thrown);
      }
      if (signal.aborted) return;
      if (!this.subscription.isWanted) continue;
      const failure = error instanceof EntityStreamError ? error : new EntityStreamError('internal', error.message, { cause: error });
      const isRefusal = failure instanceof AuthenticationError && failure.code === 'refused';
      if (isFinal(failure) || (isRefusal && (refused || !this.settings.getToken))) {
        this.subscription.abandon(failure);
        this.events.state('failed', { error: failure });
        return this.events.trouble(failure);
      }
      // The token may have expired on its way, so a refusal gets one more attempt with another token.
      if (isRefusal) refused = { token, error: failure };
      await this.pause(failure);
    }
  }

  private async pause(error: EntityStreamError): Promise<void> {
    const retryInMs = this.backoff.next();
    const waited = this.backoff.wait(retryInMs);
    this.events.state('waiting', { error, retryInMs });
    this.events.trouble(error);
    if (this.stopping.signal.aborted) this.backoff.skip();
    await waited;
  }

  private async open(token: string | undefined, signal: AbortSignal): Promise<Link> {
    const link = await openLink(this.settings, token, this.subscription, this.events, this.clock, signal);
    this.links.add(link);
    void link.connection.ended.then(() => this.links.delete(link));
    return link;
  }

  /** Makes a connection the active one, which gets the requests and is watched. */
  private promote(link: Link): void {
    const { stableAfterMs, rotateAfterMs } = this.settings;
    this.active = link;
    const cancelStable = after(stableAfterMs, () => this.backoff.reset());
    // Subtracts up to a tenth at random, so that clients that connected together do not reconnect together.
    const cancelRotation = after(rotateAfterMs * (1 - Math.random() / 10), () => void this.rotate(link));
    void link.connection.ended.then(() => {
      cancelStable();
      cancelRotation();
    });
    this.ask(link);
  }

  private ask(link: Link): void {
    this.subscription.ask(() => this.active).catch((error: AuthenticationError | ConnectionError) => link.connection.fail(error));
  }

  /** Resolves with the reason when the active connection has ended without a replacement. */
  private async untilLost(): Promise<{ error: Error; missedSince: Date }> {
    for (;;) {
      const link = this.active;
      if (!link) return { error: new ConnectionError('connection_lost', 'closed by this client'), missedSince: new Date() };
      const error = await link.connection.ended;
      if (this.active !== link) continue;
      this.active = undefined;
      this.rotation?.abort();
      // An event that the server sent after its last sign of life may be missing, whenever the loss was noticed.
      return { error, missedSince: link.connection.heardAt };
    }
  }

  /**
   * Replaces a connection before the server ends it. The old connection is closed after the server has acknowledged the
   * subscription of the new one. Until then it still receives events that are under way. Events that arrive on both are
   * dropped as repeats.
   */
  private async rotate(old: Link): Promise<void> {
    if (this.active !== old || !this.subscription.accepted) return;
    const rotation = (this.rotation = new AbortController());
    const { signal } = rotation;
    let next: Link | undefined;
    try {
      const token = await fetchToken(this.settings, signal);
      if (signal.aborted) return;
      next = await this.open(token, signal);
      await this.subscription.join(next);
      if (!signal.aborted && this.active === old && this.subscription.covers(next)) {
        this.promote(next);
        // A member of a group takes events of its own until it leaves. Elsewhere both connections get the same events.
        const cancel = after(this.settings.groupId === undefined ? this.settings.drainMs : 0, () => void this.leave(old));
        void old.connection.ended.then(cancel);
        return;
      }
      void next.connection.close();
    } catch (thrown) {
      void next?.connection.close();
      if (signal.aborted) return;
      if (thrown instanceof EntityStreamError) this.events.trouble(thrown);
      // The reconnection after the end of the old connection handles a refused token.
      if (thrown instanceof AuthenticationError) return;
    }
    const cancel = after(this.settings.backoffMaxMs * (0.5 + Math.random() / 2), () => void this.rotate(old));
    void old.connection.ended.then(cancel);
  }
}

/** True if another attempt would fail as well, with any token. */
function isFinal(error: EntityStreamError): boolean {
  if (error instanceof AuthenticationError) return error.code === 'invalid_token' || error.code === 'logged_out';
  if (error instanceof ConnectionError) return error.code === 'handshake_refused';
  return error instanceof RequestError || error.code === 'internal';
}
