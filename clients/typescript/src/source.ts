import { Collection, type EntityChange } from './collection.js';
import type { EntityStreamError } from './errors.js';
import { type EntitiesOptions, Loader, entityOf } from './live.js';
import type { Filter, Frame } from './messages.js';
import { Subscription, type SubscriptionHost, type SubscriptionState } from './subscription.js';

/** The live collection that a source belongs to. */
export interface SourceOwner {
  /** The entities of the source have changed. */
  told(source: Source, changes: readonly EntityChange[]): void;
  /** The source holds every entity that matches, or it has lost its connection. */
  complete(source: Source, isComplete: boolean): void;
  state(source: Source, state: SubscriptionState): void;
  failed(source: Source, error: Error): void;
  /** The subscription has failed, or `load` has failed and is tried again. */
  error(source: Source, error: EntityStreamError): void;
}

/** The entities that match one filter: a subscription, and its snapshot or the program's `load`. */
export class Source {
  readonly subscription: Subscription;
  isComplete = false;
  private readonly loader: Loader | undefined;
  /** True if it has been complete since the last time that its entities had to be loaded. */
  private wasFilled = false;
  /** True if the server has the subscription, and has replayed what a lost connection missed. */
  private isInForce = false;

  constructor(
    private readonly owner: SourceOwner,
    host: SubscriptionHost,
    readonly collection: Collection,
    readonly filter: Filter,
    readonly options: EntitiesOptions,
  ) {
    const { load, servicePath = usualPath(filter), name, signal } = options;
    if (load) {
      const read = async (signal: AbortSignal) => [...(await load(signal))].map((entity) => entityOf(entity, host.tenant, servicePath));
      const loaded = (entities: Parameters<Collection['load']>[0]) => this.fill(this.collection.load(entities));
      this.loader = new Loader(read, () => this.collection.begin(), loaded, (error) => this.owner.error(this, error));
    }
    this.subscription = new Subscription(host, filter, { name, signal, snapshot: !load }, {
      began: () => {
        if (!load) this.collection.begin();
      },
      accepted: () => this.loadNow(),
      event: (event) => this.take(event),
      snapshotItem: (item) => this.take(item),
      snapshotComplete: () => this.fill(this.collection.complete()),
      recovered: () => {
        // Otherwise the lost connection has interrupted a load or a snapshot, or an event has left doubt.
        if (!this.wasFilled) return this.loadNow();
        this.isInForce = true;
        this.collection.recovered();
        this.change(true);
      },
      notRecovered: () => {
        if (!load) return;
        this.wasFilled = false;
        this.loadNow();
      },
      failed: (error) => this.owner.failed(this, error),
      lost: () => this.stop(),
    });
    this.subscription.on('state', (state) => {
      if (state === 'closed' || state === 'failed') this.stop();
      this.owner.state(this, state);
    });
    this.subscription.on('error', (error) => this.owner.error(this, error));
  }

  close(): Promise<void> {
    return this.subscription.close();
  }

  private take(message: Frame): void {
    const change = this.collection.apply(message);
    if (this.collection.isInDoubt) this.loadAgain();
    if (change) this.owner.told(this, [change]);
  }

  private fill(changes: readonly EntityChange[]): void {
    this.owner.told(this, changes);
    this.change(true);
    if (this.collection.isInDoubt) this.loadAgain();
  }

  private loadNow(): void {
    this.isInForce = true;
    this.loader?.start();
  }

  /** Loads once more. A load that is under way may not know of the message, and without a connection the next one begins a load. */
  private loadAgain(): void {
    this.wasFilled = false;
    if (this.isComplete) this.change(false);
    if (this.isInForce) this.loader?.again();
  }

  private stop(): void {
    this.isInForce = false;
    this.loader?.stop();
    this.change(false);
  }

  private change(isComplete: boolean): void {
    if (isComplete) this.wasFilled = true;
    this.isComplete = isComplete;
    this.owner.complete(this, isComplete);
  }
}

/** The service path of loaded entities that have none: that of the filter, without `#`, if it has one. */
function usualPath({ servicePath = '' }: Filter): string {
  return servicePath.replace(/#$/, '').replace(/\/+$/, '') || '/';
}
