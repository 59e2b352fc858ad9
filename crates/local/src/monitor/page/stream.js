const FIRST_DELAY = 500;
/** The system is on this machine or near: attempts are cheap, and a developer who restarted it is waiting. */
const LONGEST_DELAY = 8000;
/** A connection that held for so long was a good one: the delays begin anew. */
const STABLE = 10_000;
/** API Gateway closes a connection after ten minutes of silence. */
const KEEP_ALIVE = 4 * 60_000;
const REFUSED = 1008;
const TRY_AGAIN_LATER = 1013;
const EVERYTHING = { entityTypes: [], idPattern: '' };

/**
 * A connection like any client's, which comes back when it breaks.
 *
 * Reports `onState({ phase, … })`, where phase is `connecting`, `open`, `waiting` (with `retryAt` and `opened`: whether
 * the last connection came about), `refused` (with `reason`) or `closed`. While it connects and waits, `reason` is set if
 * the server told clients to come back later. Also reports `onEvent(text, message)`, and
 * `onFilter({ filter })` or `onFilter({ error })` for each filter that was asked for.
 */
export class Stream {
  #report;
  #socket = null;
  #target = null;
  #wanted = EVERYTHING;
  /** The filter in force on this connection, and the latest that was in force on any. */
  #accepted = null;
  #lastGood = null;
  /** The request that is under way, and how many there have been. */
  #pending = null;
  #requests = 0;
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

  /** Replaces the filter. A filter that the server refuses has no effect. */
  subscribe(filter) {
    this.#wanted = filter;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#subscribe(filter);
  }

  #open() {
    this.#abandon();
    const { tenant, token } = this.#target;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    let socket;
    try {
      socket = new WebSocket(`${scheme}://${location.host}/?tenant=${encodeURIComponent(tenant)}`, token ? ['access_token', token] : []);
    } catch {
      this.#setState({ phase: 'refused', reason: 'That is no token: a token has letters, digits, and . _ - only.' });
      return;
    }
    this.#socket = socket;
    this.#openedAt = 0;
    this.#accepted = null;
    this.#setState({ phase: 'connecting', reason: this.state.reason });
    const ours = (handle) => (event) => { if (this.#socket === socket) handle(event); };
    socket.onopen = ours(() => this.#opened());
    socket.onmessage = ours(({ data }) => this.#message(data));
    socket.onclose = ours((event) => this.#closed(event));
  }

  #opened() {
    this.#openedAt = Date.now();
    this.#subscribe(this.#wanted);
    this.#keepAlive = setInterval(() => this.#send({ action: 'ping' }), KEEP_ALIVE);
  }

  /** Quietly: without a word to the form, whose own filter has been refused. */
  #subscribe(filter, quietly = false) {
    this.#requests += 1;
    const requestId = `filter-${this.#requests}`;
    this.#pending = { requestId, filter, quietly };
    this.#send({ action: 'subscribe', ...filter, requestId });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #message(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.entityId !== undefined) {
      // Until the filter is acknowledged, events of the former filter arrive.
      if (this.#accepted) this.#report.onEvent(text, message);
    } else if (message.type === 'subscribed' || message.type === 'error') {
      this.#answered(message);
    } else if (message.type === undefined && message.connectionId !== undefined) {
      // API Gateway's own frame: the function failed.
      this.#answered({ type: 'error', message: 'The system could not set the filter: see its log.' });
    }
  }

  #answered(answer) {
    if (answer.code === 'unauthorized' || answer.code === 'forbidden') {
      this.#refused(answer.message);
      return;
    }
    const { requestId, filter, quietly } = this.#pending ?? {};
    // Not the answer to a filter that has been replaced since.
    if (answer.requestId && answer.requestId !== requestId) return;
    if (answer.type === 'error') {
      if (!quietly) this.#report.onFilter({ error: answer.message });
      if (!this.#accepted && !quietly && this.#lastGood) {
        this.#subscribe(this.#lastGood, true);
        return;
      }
      // A connection starts with every change of its tenant.
      this.#accepted ??= EVERYTHING;
    } else {
      this.#accepted = filter;
      this.#lastGood = filter;
      if (!quietly) this.#report.onFilter({ filter });
    }
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
