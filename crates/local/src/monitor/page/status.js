import { byId, grouped, rateText, setMessage, setText } from './dom.js';

/** Says how far the bus is behind, and why; null if it is not. */
function behind(backlog) {
  if (!backlog?.reason) return null;
  const megabytes = rateText(backlog.bytes / 1e6);
  const tenants = backlog.tenants.map(({ tenant, events }) => `${tenant ?? 'no tenant'} ${grouped(events)}`).join(', ');
  const refused = backlog.refused > 0 ? ` ${grouped(backlog.refused)} were refused for want of room.` : '';
  return `${rateText(backlog.oldestMilliseconds / 1000)} s behind: ${grouped(backlog.events)} events (${megabytes} MB) wait for `
    + `delivery (${tenants}), because ${backlog.reason}.${refused}`;
}

/** Says how the connection is, and why if it is not well. */
export class Status {
  #stream;
  #system = null;
  #reachable = true;
  /** True from a failed attempt until the next one has succeeded. */
  #hasFailed = false;
  #tenant;

  constructor(stream, tenant) {
    this.#stream = stream;
    this.#tenant = tenant;
    byId('retry').addEventListener('click', () => stream.retry());
    setInterval(() => this.show(), 1000);
  }

  /** The status that the system reports; null if it cannot be reached. */
  heard(system) {
    this.#reachable = system !== null;
    this.#system = system ?? this.#system;
    setMessage(byId('backlog'), behind(system?.backlog));
    this.show();
  }

  show() {
    const { state } = this.#stream;
    byId('state').dataset.phase = state.phase;
    byId('retry').hidden = state.phase !== 'waiting';
    setText(byId('state-text'), this.#text(state));
    setText(byId('connect-button'), state.phase === 'open' ? 'Reconnect' : 'Connect');
    // An attempt after a failure leaves the notice as it is, so that the page does not jump.
    const isAgain = state.phase === 'connecting' && this.#hasFailed;
    this.#hasFailed = state.phase === 'waiting' || isAgain;
    if (!isAgain || state.reason) setMessage(byId('notice'), this.#notice(state));
    setText(byId('reconnects'), grouped(this.#stream.reconnects));
    const watching = state.phase === 'open';
    setText(byId('empty-title'), watching ? `Listening to ${this.#tenant()}` : 'Not connected');
    setText(byId('empty-text'), watching ? 'Publish a change, or switch the simulation on, and it appears here.' : '');
  }

  #text(state) {
    switch (state.phase) {
      case 'open': return 'Connected';
      case 'connecting': return 'Connecting';
      case 'idle': return 'No subscription';
      case 'refused': return 'Refused';
      case 'waiting': return `Reconnecting in ${Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000))} s`;
      default: return 'Not connected';
    }
  }

  #notice(state) {
    if (state.phase === 'refused') return state.reason;
    if (state.phase === 'closed') return state.reason ?? null;
    if (state.reason) return `${state.reason.replace(/\.$/, '')}. The page keeps trying.`;
    if (state.phase !== 'waiting') return null;
    if (!this.#reachable) return 'The local system cannot be reached. Is it running? The page keeps trying.';
    if (state.opened) return null;
    // A browser does not tell why a handshake fails, but the system may know.
    if (this.#system?.streaming === false) return 'Event streaming is switched off (EVENT_STREAMING_ENABLED). Clients cannot connect.';
    if (this.#system?.authentication) return 'The handshake was refused. This system asks for a token: is it valid for this tenant?';
    return 'The handshake was refused: see the log of the local system.';
  }
}
