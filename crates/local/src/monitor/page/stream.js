import { Subscriptions } from './subscriptions.js';

const FIRST_DELAY = 500;
/** The system is on this machine or near: attempts are cheap, and a developer who restarted it is waiting. */
const LONGEST_DELAY = 8000;
/** A connection that held for so long was a good one: the delays begin anew. */
const STABLE = 10_000;
/** API Gateway closes a connection after ten minutes of silence. */
const KEEP_ALIVE = 4 * 60_000;
const REFUSED = 1008;
const TRY_AGAIN_LATER = 1013;

/**
 * A connection like any client's, which comes back when it breaks.
 *
 * Reports `onState({ phase, … })`, where phase is `connecting`, `open`, `waiting` (with `retryAt` and `opened`: whether
 * the last connection came about), `refused` (with `reason`) or `closed`. While it connects and waits, `reason` is set if
 * the server told clients to come back later. Also reports `onEvent(text, message)`, and what `Subscriptions` reports but
 * `onReady`.
 */
export class Stream {
  #report;
  #socket = null;
  #target = null;
  #subscriptions;
  #attempt = 0;
  #openedAt = 0;
  #timer;
  #keepAlive;
  #wasOpen = false;
  state = { phase: 'closed' };
  /** The number of reconnects. */
  reconnects = 0;

  constructor(report) {
    this.#report = report;
    this.#subscriptions = new Subscriptions((text) => this.#send(text), { ...report, onReady: () => this.#ready() });
    window.addEventListener('online', () => this.retry());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.retry(); });
  }

  connect(tenant, token) {
    this.#target = { tenant, token };
    this.#attempt = 0;
    this.#wasOpen = false;
    // The reasons of an earlier target do not count.
    this.state = { phase: 'closed' };
    this.#open();
  }

  /** Ends it, and says why if there is something to say. */
  disconnect(reason) {
    this.#abandon();
    this.#setState({ phase: 'closed', reason });
  }

  /** Tries again at once, if an attempt is due later. */
  retry() {
    if (this.state.phase === 'waiting') this.#open();
  }

  /** Replaces all subscriptions, for the next connection. */
  load(list) {
    this.#subscriptions.load(list);
  }

  /** Adds or replaces a subscription. One that the server refuses has no effect. */
  set(fields) {
    this.#subscriptions.set(fields);
  }

  remove(name) {
    this.#subscriptions.remove(name);
  }

  #open() {
    this.#abandon();
    const { tenant, token } = this.#target;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    let socket;
    try {
      const query = new URLSearchParams({ tenant, ...this.#subscriptions.query() });
      socket = new WebSocket(`${scheme}://${location.host}/?${query}`, token ? ['access_token', token] : []);
    } catch {
      this.#setState({ phase: 'refused', reason: 'That is no token: a token has letters, digits, and . _ - only.' });
      return;
    }
    this.#socket = socket;
    this.#openedAt = 0;
    this.#setState({ phase: 'connecting', reason: this.state.reason });
    const ours = (handle) => (event) => { if (this.#socket === socket) handle(event); };
    socket.onopen = ours(() => this.#opened());
    socket.onmessage = ours(({ data }) => this.#message(data));
    socket.onclose = ours((event) => this.#closed(event));
  }

  #opened() {
    this.#openedAt = Date.now();
    this.#keepAlive = setInterval(() => this.#send(JSON.stringify({ action: 'ping' })), KEEP_ALIVE);
    this.#subscriptions.opened();
  }

  #send(text) {
    const isOpen = this.#socket?.readyState === WebSocket.OPEN;
    if (isOpen) this.#socket.send(text);
    return isOpen;
  }

  #message(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.entityId !== undefined) {
      // Until the subscriptions are acknowledged, events arrive that they do not select.
      if (this.#subscriptions.isReady) this.#report.onEvent(text, message);
    } else if (['subscribed', 'unsubscribed', 'error'].includes(message.type)) {
      this.#answered(message);
    } else if (message.type === undefined && message.connectionId !== undefined) {
      // API Gateway's own frame: the function failed.
      this.#answered({ type: 'error', message: 'The system could not change the subscription: see its log.' });
    }
  }

  #answered(answer) {
    if (answer.code === 'unauthorized' || answer.code === 'forbidden') {
      this.#refused(answer.message);
      return;
    }
    this.#subscriptions.answered(answer);
    if (answer.type === 'unsubscribed') this.#report.onRemoved();
  }

  #ready() {
    if (this.state.phase === 'open') return;
    if (this.#wasOpen) this.reconnects += 1;
    this.#wasOpen = true;
    this.#setState({ phase: 'open' });
  }

  #closed({ code, reason }) {
    const opened = this.#openedAt > 0;
    if (opened && Date.now() - this.#openedAt > STABLE) this.#attempt = 0;
    this.#abandon();
    if (code === REFUSED) {
      this.#refused(reason || 'The system does not let this client listen.');
      return;
    }
    this.#attempt += 1;
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#attempt - 1));
    const delay = Math.random() * most;
    this.#timer = setTimeout(() => this.#open(), delay);
    this.#setState({ phase: 'waiting', retryAt: Date.now() + delay, opened, reason: code === TRY_AGAIN_LATER ? reason : undefined });
  }

  #refused(reason) {
    this.#abandon();
    this.#setState({ phase: 'refused', reason });
  }

  #abandon() {
    clearTimeout(this.#timer);
    clearInterval(this.#keepAlive);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #setState(state) {
    this.state = state;
    this.#report.onState(state);
  }
}
