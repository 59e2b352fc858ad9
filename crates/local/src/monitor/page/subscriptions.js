/** The names and fields of subscriptions, by name. The default subscription has no name. */
const byName = (list) => new Map(list.map((fields) => [fields.subscription ?? '', fields]));

/**
 * The subscriptions of a connection, which survive it. They are restored by one message after a reconnect, and the connection is
 * ready when that is answered. If the server refuses one of them then, its last version that was in force takes its place, or
 * it is left out.
 *
 * Reports `onSent(name, text)` for each subscription of a message, `onAnswer(name, { inForce })` or
 * `onAnswer(name, { code, message })` for the latest request about a name, and `onReady()`.
 */
export class Subscriptions {
  #send;
  #report;
  #wanted = new Map();
  /** The latest version of each that was in force on any connection. */
  #good = new Map();
  #pending = new Map();
  /** The id of the latest request about each name. */
  #latest = new Map();
  #requests = 0;
  #beginsWithDefault = true;
  isReady = false;

  /** `send(text)` sends a message if the connection is open, and returns whether it was. */
  constructor(send, report) {
    this.#send = send;
    this.#report = report;
  }

  /** Replaces all, for the next connection. */
  load(list) {
    this.#wanted = byName(list);
  }

  /** The part of the query with which a connection begins without a default subscription, if none is wanted. */
  query() {
    this.isReady = false;
    this.#beginsWithDefault = this.#wanted.has('');
    return this.#beginsWithDefault ? {} : { subscribe: 'none' };
  }

  /** A connection is open that began with the `query`. */
  opened() {
    this.#pending.clear();
    if (this.#beginsWithDefault && !this.#wanted.has('')) this.remove('');
    this.#restore(this.#wanted);
  }

  /** Adds a subscription, or replaces the one of the same name. */
  set(fields) {
    this.#wanted.set(fields.subscription ?? '', fields);
    this.#subscribe([fields], { isRestore: false });
  }

  remove(name) {
    this.#wanted.delete(name);
    this.#good.delete(name);
    this.#request({ action: 'unsubscribe', ...(name && { subscription: name }) }, { names: [name], isRemoval: true });
  }

  /** Takes an `answer` to a request; one without an id is about the latest. */
  answered(answer) {
    const requestId = answer.requestId ?? [...this.#pending.keys()].at(-1);
    const request = this.#pending.get(requestId);
    if (!request) return;
    this.#pending.delete(requestId);
    if (request.isRemoval) {
      // A subscription that does not exist needs no removal.
      if (answer.type === 'error' && answer.code !== 'not_subscribed') this.#tell(requestId, request.names, () => answer);
    } else if (answer.type === 'error') {
      this.#refused(requestId, request, answer);
    } else {
      const inForce = byName(answer.subscriptions ?? [answer]);
      for (const [name, fields] of request.wanted) this.#good.set(name, fields);
      this.#tell(requestId, request.names.filter((name) => !request.quiet.has(name)), (name) => ({ inForce: inForce.get(name) }));
      if (request.isRestore) this.#ready();
    }
  }

  #refused(requestId, { wanted, names, isRestore, quiet }, { code, message, subscription }) {
    const known = names.includes(subscription ?? '');
    const blamed = names.length === 1 || !known ? names : [subscription ?? ''];
    this.#tell(requestId, blamed.filter((name) => !quiet.has(name)), () => ({ code, message }));
    if (!isRestore) return;
    const rest = new Map(wanted);
    for (const name of blamed) {
      const good = this.#good.get(name);
      if (good && good !== wanted.get(name)) rest.set(name, good);
      else rest.delete(name);
    }
    this.#restore(rest, new Set([...quiet, ...blamed]));
  }

  /** Subscribes to all of a new connection. Answers about the `quiet` are not reported: their own version was refused. */
  #restore(wanted, quiet = new Set()) {
    if (wanted.size > 0) this.#subscribe([...wanted.values()], { isRestore: true, quiet });
    else this.#ready();
  }

  #subscribe(list, { isRestore, quiet = new Set() }) {
    const wanted = byName(list);
    const content = list.length === 1 ? list[0] : { subscriptions: list };
    this.#request({ action: 'subscribe', ...content }, { wanted, names: [...wanted.keys()], isRestore, quiet });
  }

  #request(message, request) {
    this.#requests += 1;
    const requestId = `filter-${this.#requests}`;
    const text = JSON.stringify({ ...message, requestId });
    if (!this.#send(text)) return;
    this.#pending.set(requestId, request);
    for (const name of request.names) {
      this.#latest.set(name, requestId);
      if (!request.quiet?.has(name)) this.#report.onSent(name, text);
    }
  }

  #tell(requestId, names, answer) {
    for (const name of names) {
      // Not the answer to a request that has been replaced since.
      if (this.#latest.get(name) === requestId) this.#report.onAnswer(name, answer(name));
    }
  }

  #ready() {
    if (this.isReady) return;
    this.isReady = true;
    this.#report.onReady();
  }
}
