import { Backoff } from './backoff.js';
import { AuthenticationError, ClosedError, ConnectionError, EntityStreamError, TooSoonError, asError, isFinal } from './errors.js';
import { type Link, type LinkContext, openLink } from './link.js';
import type { Resumption } from './resumption.js';
import type { Opened, Subscriptions } from './subscriptions.js';
import { after } from './timer.js';
import { fetchToken } from './token.js';

/** The state of a stream. */
export type StreamState =
  /** There is no subscription and no connection. */
  | 'idle'
  /** An attempt to connect is under way. */
  | 'connecting'
  /** The server has acknowledged the subscriptions. Matching changes that are published now are delivered. */
  | 'connected'
  /** The last attempt or connection failed. The next attempt follows after a wait. */
  | 'waiting'
  /** Another attempt would fail as well. All subscriptions have ended; the next one makes another attempt. */
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

export interface SupervisorEvents {
  state(state: StreamState, detail: StateDetail): void;
  trouble(error: EntityStreamError): void;
  /** A connection opened, or the last one ended. */
  online(isOnline: boolean): void;
}

/** The time for which a connection without subscriptions stays open, because the next one often follows at once. */
const IDLE_MS = 1000;

/**
 * Keeps a stream connected. It reconnects after failures and replaces connections before their end.
 *
 * Invariants:
 * - At most one `run` is under way. It ends only in the states `idle`, `failed` and `closed`.
 * - Requests about subscriptions go to the active connection. Each connection in `links` is closed in the end.
 */
export class Supervisor {
  private readonly backoff: Backoff;
  private readonly links = new Set<Link>();
  private active: Link | undefined;
  private running: Promise<void> | undefined;
  private rotation: AbortController | undefined;
  /** The connection that was closed because it had no subscription. */
  private unused: Link | undefined;
  private tellLoss: (error: Error) => void = () => {};
  private cancelIdle = () => {};
  private cancelLater = () => {};
  private readonly stopping = new AbortController();

  constructor(
    private readonly context: LinkContext,
    private readonly subscriptions: Subscriptions,
    private readonly resumption: Resumption,
    private readonly events: SupervisorEvents,
  ) {
    this.backoff = new Backoff(context.settings.backoffMinMs, context.settings.backoffMaxMs);
  }

  /** Sends the changes of the subscriptions. Connects first if necessary. */
  proceed(): void {
    const { registry } = this.subscriptions;
    if (this.active) return this.work(this.active);
    if (!registry.isUnderWay) registry.disconnected();
    // Without a subscription, no connection is needed, and the wait ends.
    if (!registry.isWanted) this.backoff.skip();
    this.running ??= this.run().finally(() => {
      this.running = undefined;
      // A listener may have subscribed again when it received the last state.
      if ((registry.isWanted || registry.hasChanges) && !this.stopping.signal.aborted) this.proceed();
    });
  }

  /** Ends the wait and checks the connection, because the network is back or the page has become visible. */
  wake(): void {
    this.backoff.hurry();
    this.active?.connection.ping();
  }

  /** Closes all connections permanently, after they have left their group. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.rotation?.abort();
    this.cancelIdle();
    this.cancelLater();
    this.backoff.skip();
    await Promise.all([...this.links].map((link) => this.leave(link)));
    await this.running;
  }

  private get settings() {
    return this.context.settings;
  }

  /** Closes a connection. A member of a group first leaves it, and takes the events that are already assigned to it. */
  private async leave(link: Link): Promise<void> {
    if (this.settings.groupId !== undefined) await this.subscriptions.leave(link);
    await link.connection.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const { registry } = this.subscriptions;
    let wasRefused = false;
    while (!signal.aborted) {
      registry.disconnected();
      if (!registry.isWanted) {
        this.resumption.forget();
        return this.events.state('idle', {});
      }
      this.events.state('connecting', {});
      let token: string | undefined;
      let error: Error;
      try {
        token = await fetchToken(this.settings, this.context.refused, signal);
        const link = await this.open(token, signal);
        const opened = await this.openSubscriptions(link, signal);
        wasRefused = false;
        // The server has refused every subscription, or none is wanted any more.
        if (!opened) continue;
        this.watch(link);
        const { verdict } = opened;
        const missedSince = verdict && !verdict.recovered ? verdict.missedSince : undefined;
        this.events.state('connected', missedSince ? { missedSince } : {});
        opened.tell();
        this.work(link);
        error = await this.untilLost();
        if (this.unused === link) continue;
      } catch (thrown) {
        error = asError(thrown);
      }
      this.events.online(false);
      registry.disconnected();
      if (signal.aborted) return;
      if (!registry.isWanted) continue;
      const failure = error instanceof EntityStreamError ? error : new EntityStreamError('internal', error.message, { cause: error });
      if (failure instanceof AuthenticationError) this.context.refused.remember(token, failure);
      const isRefusal = failure instanceof AuthenticationError && failure.code === 'refused';
      if (isFinal(failure) || (isRefusal && (wasRefused || !this.settings.getToken))) {
        registry.abandon(failure);
        this.resumption.forget();
        this.context.refused.forget();
        this.events.state('failed', { error: failure });
        return this.events.trouble(failure);
      }
      // The token may have expired on its way, so a refusal gets one more attempt with another token.
      wasRefused ||= isRefusal;
      await this.pause(failure);
    }
  }

  private async openSubscriptions(link: Link, signal: AbortSignal): Promise<Opened | undefined> {
    const abort = () => void link.connection.close();
    signal.addEventListener('abort', abort);
    try {
      const opened = await this.subscriptions.open(link);
      if (opened) this.active = link;
      else await link.connection.close();
      return opened;
    } catch (error) {
      void link.connection.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  private async pause(error: EntityStreamError): Promise<void> {
    const least = error instanceof TooSoonError ? error.waitMs : 0;
    const retryInMs = Math.max(this.backoff.next(), least);
    const waited = this.backoff.wait(retryInMs, least);
    this.events.state('waiting', { error, retryInMs });
    this.events.trouble(error);
    if (this.stopping.signal.aborted) this.backoff.skip();
    await waited;
  }

  private async open(token: string | undefined, signal: AbortSignal): Promise<Link> {
    const link = await openLink(this.context, token, signal);
    if (signal.aborted) {
      await link.connection.close();
      throw new ClosedError();
    }
    this.links.add(link);
    this.events.online(true);
    void link.connection.ended.then(() => this.links.delete(link));
    return link;
  }

  /** Watches the active connection: its age, and the results of its requests. */
  private watch(link: Link): void {
    const { stableAfterMs, rotateAfterMs } = this.settings;
    const cancelStable = after(stableAfterMs, () => this.backoff.reset());
    // Subtracts up to a tenth at random, so that clients that connected together do not reconnect together.
    const cancelRotation = after(rotateAfterMs * (1 - Math.random() / 10), () => void this.rotate(link));
    void link.connection.ended.then((error) => {
      cancelStable();
      cancelRotation();
      if (this.active === link) this.lost(link, error);
    });
  }

  private work(link: Link): void {
    this.cancelIdle();
    this.cancelLater();
    this.subscriptions.work(link, () => this.active === link).then(
      () => {
        if (this.active !== link) return;
        // Several calls may have waited for the same work.
        this.cancelIdle();
        this.cancelLater();
        const { registry } = this.subscriptions;
        if (registry.isWanted) this.cancelLater = after(registry.nextInMs(link.resumesInMs), () => this.proceed());
        else this.cancelIdle = after(IDLE_MS, () => void this.leave((this.unused = link)));
      },
      (error: AuthenticationError | ConnectionError) => link.connection.fail(error),
    );
  }

  /** Resolves with the reason when the active connection, which may have replaced others, has ended. */
  private untilLost(): Promise<Error> {
    return new Promise((resolve) => (this.tellLoss = resolve));
  }

  /** The active connection has ended without a replacement. One that it has replaced may still be open. */
  private lost(link: Link, error: Error): void {
    this.active = undefined;
    // Messages that arrive on it now are late, and the next connection asks for the past.
    link.takesPositions = false;
    this.rotation?.abort();
    this.cancelIdle();
    this.cancelLater();
    // An event that the server sent after its last sign of life may be missing, whenever the loss was noticed.
    this.resumption.lost(link.connection.heardAt);
    for (const receiver of this.subscriptions.registry.receivers) receiver.lost();
    this.tellLoss(error);
  }

  /**
   * Replaces a connection before the server ends it. The old connection is closed after the server has acknowledged the
   * subscriptions of the new one. Until then it still receives events that are under way. Events that arrive on both are
   * dropped as repeats.
   */
  private async rotate(old: Link, wasRefused = false): Promise<void> {
    // A member that leaves its group still takes events for a while.
    if (this.active !== old || this.stopping.signal.aborted) return;
    const rotation = (this.rotation = new AbortController());
    const { signal } = rotation;
    let next: Link | undefined;
    let token: string | undefined;
    const abort = () => void next?.connection.close();
    signal.addEventListener('abort', abort);
    try {
      token = await fetchToken(this.settings, this.context.refused, signal);
      const link = (next = await this.open(token, signal));
      const isJoined = await this.subscriptions.join(link, () => {
        if (signal.aborted || this.active !== old) return false;
        this.active = link;
        // The subscriptions of later requests are not on the old connection, so its positions do not hold for them.
        old.takesPositions = false;
        return true;
      });
      if (isJoined) {
        this.watch(link);
        this.work(link);
        // A member of a group takes events of its own until it leaves. Elsewhere both connections get the same events.
        const cancel = after(this.settings.groupId === undefined ? this.settings.drainMs : 0, () => void this.leave(old));
        void old.connection.ended.then(cancel);
        return;
      }
      void link.connection.close();
    } catch (thrown) {
      void next?.connection.close();
      if (signal.aborted) return;
      if (thrown instanceof EntityStreamError) this.events.trouble(thrown);
      if (thrown instanceof AuthenticationError) {
        this.context.refused.remember(token, thrown);
        // As in an attempt to connect, a refusal gets one more attempt with another token. The old connection goes on until its end.
        if (thrown.code !== 'refused' || wasRefused || !this.settings.getToken) return;
        wasRefused = true;
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
    const cancel = after(this.settings.backoffMaxMs * (0.5 + Math.random() / 2), () => void this.rotate(old, wasRefused));
    void old.connection.ended.then(cancel);
  }
}
