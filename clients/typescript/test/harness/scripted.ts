import { EntityStream } from '../../src/stream.js';
import type { EntityStreamOptions, WebSocketConstructor } from '../../src/options.js';

type Fields = { [name: string]: unknown };
/** A message of the client. */
export type Message = Fields & { action: string; requestId?: string; subscription?: string; subscriptions?: (Fields & { subscription: string })[] };

/** The server's end of a connection. */
export class Peer {
  readonly messages: Message[] = [];
  isOpen = true;
  private readonly listeners = new Map<string, ((event: unknown) => void)[]>();

  constructor(
    private readonly server: Scripted,
    readonly url: string,
    readonly protocols: readonly string[],
  ) {}

  /** Sends a frame. */
  send(frame: Fields): void {
    if (this.isOpen) this.emit('message', { data: JSON.stringify(frame) });
  }

  /** Ends the connection without a close frame. */
  cut(code = 1006): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.emit('close', { code, reason: '' });
  }

  /** Answers as the service does. */
  answer({ action, requestId, subscription, subscriptions, since }: Message, more: Fields = {}): void {
    const { number, server } = this;
    if (action === 'ping') return this.send({ type: 'pong' });
    if (action === 'sync') return this.send({ type: 'synced' });
    if (action !== 'subscribe') return this.send({ type: `${action}d`, requestId, subscription, ...more });
    const position = `p${String((server.positions += 1)).padStart(4, '0')}`;
    const snapshot = subscriptions!.some((each) => each['snapshot']) && !since ? { snapshot: 0 } : {};
    this.send({ type: 'subscribed', requestId, subscriptions, position, session: `s${number}`, ...(since ? { recovered: true, replayed: 0 } : {}), ...snapshot, ...more });
  }

  refuse({ action, requestId }: Message, code: string): void {
    this.send({ type: 'error', action, code, message: 'no', requestId });
  }

  event(id: string, position: string, subscriptions: string[], more: Fields = {}): void {
    const fixed = { type: 'entityUpdated', tenant: 'demo', servicePath: '/', entityType: 'Room', data: {}, timestamp: '2026-01-02T03:04:05Z' };
    this.send({ ...fixed, id, entityId: `urn:${id}`, position, subscriptions, ...more });
  }

  /** The action and the names of each message. */
  get asked(): string[] {
    return this.messages.map(({ action, subscription, subscriptions }) => `${action} ${subscription ?? subscriptions?.map((each) => each.subscription).join()}`);
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  emit(type: string, event: unknown): void {
    for (const listener of this.listeners.get(type) ?? []) listener(event);
  }

  private get number(): number {
    return this.server.peers.indexOf(this) + 1;
  }
}

/** A server in this process. It answers each message unless `handle` returns true. */
export class Scripted {
  readonly peers: Peer[] = [];
  positions = 0;
  handle: (peer: Peer, message: Message) => unknown = () => false;

  /** A stream of this server. */
  stream(options: Partial<EntityStreamOptions> = {}): EntityStream {
    return new EntityStream({ url: 'ws://scripted', tenant: 'demo', WebSocket: this.socket(), backoffMinMs: 1, backoffMaxMs: 2, ...options });
  }

  private socket(): WebSocketConstructor {
    const { peers } = this;
    const open = (url: string, protocols: string[] = []) => new Peer(this, url, protocols);
    const take = (peer: Peer, data: string) => {
      const message = JSON.parse(data) as Message;
      peer.messages.push(message);
      if (this.handle(peer, message) !== true) peer.answer(message);
    };
    return class {
      private readonly peer: Peer;

      constructor(url: string, protocols?: string[]) {
        this.peer = open(url, protocols);
        peers.push(this.peer);
        setImmediate(() => this.peer.isOpen && this.peer.emit('open', {}));
      }

      send(data: string): void {
        setImmediate(() => this.peer.isOpen && take(this.peer, data));
      }

      close(code = 1005): void {
        setImmediate(() => this.peer.cut(code));
      }

      addEventListener(type: string, listener: (event: unknown) => void): void {
        this.peer.addEventListener(type, listener);
      }
    };
  }
}

/** Waits until something has come true. */
export async function eventually(what: string, condition: () => boolean, ms = 5000): Promise<void> {
  const limit = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
