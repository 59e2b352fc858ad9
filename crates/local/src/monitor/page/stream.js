import { AuthenticationError, EntityStream, RequestError } from './client.js';
import { parse } from './raw.js';

/** The system is on this machine or near: attempts are cheap, and its developer waits after a restart. */
const LONGEST_DELAY = 8000;
const TRY_AGAIN_LATER = 1013;
/** The default subscription has no name on the page. */
export const DEFAULT = 'default';

const withCapital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The filter of a subscription as the client takes it. */
const filterOf = ({ subscription, ...filter }) => filter;

/** The name of a subscription as the client takes it. */
const wireName = ({ subscription }) => subscription ?? DEFAULT;

/**
 * The subscriptions of the page, over one stream of the TypeScript client. The stream resumes after a lost connection.
 *
 * Reports `onState(state)`, where `state.phase` is `connecting`, `open`, `idle` (there is no subscription), `waiting` (with
 * `retryAt`, and `opened` if a connection was lost), `refused` (with `reason`) or `closed`. Reports `onEvent(message, names)` with
 * the names of the subscriptions that match, `onAnswer(name, { inForce })` or `onAnswer(name, { code, message })` for the latest
 * version of a subscription, `onRemoved()`, `onRecovery({ replayed })` or `onRecovery({ reason, missedSince })`, and `onStream(stream)`
 * for each new stream, with null after the last one.
 */
export class Stream {
  #report;
  #stream = null;
  #wanted = [];
  #subscriptions = new Map();
  /** The number of the latest version of each subscription. */
  #latest = new Map();
  /** The subscriptions that have taken the message that is being delivered. */
  #matched = [];
  /** The ids of the events that came from the history since the connection was lost. */
  #replayed = new Set();
  #wasOpen = false;
  state = { phase: 'closed' };
  /** The number of reconnects. */
  reconnects = 0;

  constructor(report) {
    this.#report = report;
  }

  connect(tenant, token) {
    this.#end();
    this.#wasOpen = false;
    const stream = new EntityStream({
      url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`,
      tenant,
      parse,
      backoffMaxMs: LONGEST_DELAY,
      ...(token && { getToken: () => token }),
    });
    this.#stream = stream;
    stream.on('state', (change) => this.#changed(change));
    stream.on('event', (message) => this.#took(message));
    stream.on('recovered', () => this.#report.onRecovery({ replayed: this.#replayed.size }));
    stream.on('notRecovered', (gap) => this.#report.onRecovery(gap));
    stream.on('error', () => {});
    this.#setState({ phase: this.#wanted.length > 0 ? 'connecting' : 'idle' });
    for (const fields of this.#wanted) this.#subscribe(fields);
    this.#report.onStream(stream);
  }

  /** Ends it, and says why if there is something to say. */
  disconnect(reason) {
    this.#end();
    this.#setState({ phase: 'closed', reason });
    this.#report.onStream(null);
  }

  /** Tries again at once, if an attempt is due later. */
  retry() {
    this.#stream?.wake();
  }

  /** Replaces all subscriptions, for the next stream. */
  load(list) {
    this.#wanted = list;
  }

  /** Adds or replaces a subscription. One that the server refuses has no effect. */
  set(fields) {
    const name = wireName(fields);
    const former = this.#subscriptions.get(name);
    if (!this.#stream) return;
    if (!former) {
      this.#subscribe(fields);
      return;
    }
    const version = this.#next(name);
    former.update(filterOf(fields)).then(
      (inForce) => this.#tell(name, version, { inForce }),
      (error) => this.#refused(name, version, error),
    );
  }

  remove(name) {
    const subscription = this.#subscriptions.get(name || DEFAULT);
    this.#subscriptions.delete(name || DEFAULT);
    subscription?.close().then(() => this.#report.onRemoved());
  }

  #subscribe(fields) {
    const name = wireName(fields);
    const version = this.#next(name);
    let subscription;
    try {
      subscription = this.#stream.subscribe(filterOf(fields), { name });
    } catch (error) {
      this.#tell(name, version, { code: 'invalid_subscription', message: `subscription: ${error.message}` });
      return;
    }
    this.#subscriptions.set(name, subscription);
    subscription.on('event', () => this.#matched.push(name));
    subscription.on('error', (error) => {
      if (this.#subscriptions.get(name) === subscription) this.#subscriptions.delete(name);
      this.#refused(name, this.#latest.get(name), error);
    });
    subscription.ready.then((inForce) => this.#tell(name, version, { inForce }), () => {});
  }

  #next(name) {
    const version = (this.#latest.get(name) ?? 0) + 1;
    this.#latest.set(name, version);
    return version;
  }

  #refused(name, version, error) {
    // The state tells about errors of the connection.
    if (error instanceof RequestError) this.#tell(name, version, { code: error.code, message: error.message });
  }

  #tell(name, version, answer) {
    // Not the answer to a version that has been replaced since.
    if (this.#latest.get(name) === version) this.#report.onAnswer(name === DEFAULT ? '' : name, answer);
  }

  /** Subscriptions take a message before the stream does. */
  #took(message) {
    const names = this.#matched;
    this.#matched = [];
    if (names.length === 0) return;
    if (message.replayed) this.#replayed.add(message.id);
    const isPlain = this.#subscriptions.size === 1 && this.#subscriptions.has(DEFAULT);
    this.#report.onEvent(message, isPlain ? [] : names.sort((a, b) => (b === DEFAULT) - (a === DEFAULT) || (a < b ? -1 : 1)));
  }

  #changed({ state, error, retryInMs }) {
    switch (state) {
      case 'connected':
        if (this.#wasOpen) this.reconnects += 1;
        this.#wasOpen = true;
        this.#setState({ phase: 'open' });
        break;
      case 'waiting':
        this.#replayed.clear();
        // The client asks for another token once, before it gives up.
        if (error instanceof AuthenticationError) break;
        this.#setState({
          phase: 'waiting',
          retryAt: Date.now() + retryInMs,
          opened: error.code === 'connection_lost',
          reason: error.closeCode === TRY_AGAIN_LATER ? withCapital(error.message) : undefined,
        });
        break;
      case 'failed':
        this.#setState({ phase: 'refused', reason: error.code === 'invalid_token' ? 'The text in the field Token is not a token.' : withCapital(error.message) });
        break;
      case 'connecting':
      case 'idle':
        this.#setState({ ...(this.state.reason && state === 'connecting' && { reason: this.state.reason }), phase: state });
        break;
      default:
    }
  }

  #end() {
    const stream = this.#stream;
    this.#stream = null;
    this.#subscriptions.clear();
    this.#matched = [];
    stream?.close();
  }

  #setState(state) {
    this.state = state;
    this.#report.onState(state);
  }
}
