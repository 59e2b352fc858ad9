import type { Frame } from '../../src/messages.js';

type Values = Record<string, number>;

interface Change {
  id: string;
  time: number;
  type: 'entityCreated' | 'entityUpdated' | 'entityDeleted';
  data: Values;
  removed: string[];
}

/** The service's state of an entity. */
interface State {
  exists: boolean;
  isPartial: boolean;
  version: number;
  newest: number;
  /** The time of the last creation or deletion. */
  replaced: number;
  attributes: Map<string, { value: number | undefined; time: number }>;
}

/** A broker that changes entities, and a service that hears of the changes in another order and tells of them in a third one. */
export class Model {
  private time = 0;
  private readonly broker = new Map<string, Values>();
  private readonly states = new Map<string, State>();
  private unheard: Change[] = [];
  private untold: Frame[] = [];
  private left = 14;

  constructor(
    readonly random: () => number,
    private readonly hasLate: boolean,
    private readonly merges: boolean,
  ) {
    // The service has never heard of this one, nor of its attributes.
    this.broker.set('a', { x: -1, y: -1, z: -1 });
  }

  /** The entities of the broker. */
  entities(): Record<string, Values> {
    return Object.fromEntries([...this.broker].map(([id, data]) => [id, { ...data }]));
  }

  /** Some steps of the broker, the service and the network. */
  run(receive: (message: Frame) => void, steps: number): void {
    for (let count = 0; count < steps; count += 1) {
      const choice = this.random();
      if (choice < 0.4 && this.left > 0) this.change();
      else if (choice < 0.7) this.hear();
      else if (this.untold.length > 0) this.tell(receive);
    }
  }

  /** All changes arrive. */
  finish(receive: (message: Frame) => void): void {
    while (this.unheard.length > 0) this.hear();
    while (this.untold.length > 0) this.tell(receive);
  }

  private pick<One>(from: readonly One[]): One {
    return from[Math.floor(this.random() * from.length)]!;
  }

  private change(): void {
    this.left -= 1;
    const id = this.pick(['a', 'b']);
    const time = (this.time += 1);
    const data = this.broker.get(id);
    const some = () => Object.fromEntries(['x', 'y', 'z'].filter(() => this.random() < 0.5).map((name) => [name, time]));
    if (data && this.random() < 0.15) {
      this.broker.delete(id);
      this.unheard.push({ id, time, type: 'entityDeleted', data: {}, removed: [] });
    } else if (!data && this.random() < 0.5) {
      const created = some();
      this.broker.set(id, created);
      this.unheard.push({ id, time, type: 'entityCreated', data: created, removed: [] });
    } else {
      const changed = { ...some(), [this.pick(['x', 'y', 'z'])]: time };
      const removed = ['x', 'y', 'z'].filter((name) => !(name in changed) && this.random() < 0.3);
      const kept = Object.entries(data ?? {}).filter(([name]) => !removed.includes(name));
      this.broker.set(id, { ...Object.fromEntries(kept), ...changed });
      this.unheard.push({ id, time, type: 'entityUpdated', data: changed, removed });
    }
  }

  /** The service hears of a change, of the oldest one unless there are late ones. A creation is never late. */
  private hear(): void {
    const place = this.hasLate ? Math.floor(this.random() * Math.min(3, this.unheard.length)) : 0;
    const between = this.unheard.slice(0, place + 1);
    const [change] = this.unheard.splice(between.some(({ type }) => type === 'entityCreated') ? 0 : place, 1);
    if (!change) return;
    const { id, time, type, data, removed } = change;
    const state: State = this.states.get(id) ?? { exists: false, isPartial: true, version: 0, newest: 0, replaced: 0, attributes: new Map() };
    this.states.set(id, state);
    const late = time < state.newest;
    state.newest = Math.max(state.newest, time);
    let isChanged = !late;
    if (type !== 'entityUpdated') {
      for (const [name, attribute] of state.attributes) {
        if (attribute.time >= time) continue;
        state.attributes.delete(name);
        isChanged = true;
      }
      state.replaced = Math.max(state.replaced, time);
      if (!late) state.isPartial = type === 'entityDeleted';
      if (!late) state.exists = type === 'entityCreated';
    } else if (!late) state.exists = true;
    for (const [name, value] of [...removed.map((name) => [name, undefined] as const), ...Object.entries(data)]) {
      if (!state.exists || time < state.replaced || (state.attributes.get(name)?.time ?? -1) > time) continue;
      state.attributes.set(name, { value, time });
      isChanged = true;
    }
    if (isChanged) state.version += 1;
    this.untold.push(this.message(change, state, late));
  }

  private message({ id, type, data, removed, time }: Change, state: State, late: boolean): Frame {
    const fixed = { id: `e${time}`, tenant: 'demo', servicePath: '/', entityId: id, entityType: 'Room', timestamp: String(time), version: state.version };
    const changedAttributes = type === 'entityUpdated' ? { changedAttributes: [...Object.keys(data), ...removed] } : {};
    const marks = late ? { late } : {};
    if (this.merges) return { ...fixed, type, data, ...changedAttributes, ...marks };
    if (!state.exists) return { ...fixed, type: 'entityDeleted', data: {}, ...marks };
    const known = [...state.attributes].filter(([, { value }]) => value !== undefined).map(([name, { value }]) => [name, value!] as const);
    const partial = state.isPartial ? { partial: true } : {};
    return { ...fixed, type: late ? 'entityUpdated' : type, data: Object.fromEntries(known), ...changedAttributes, ...partial, ...marks };
  }

  private tell(receive: (message: Frame) => void): void {
    const [message] = this.untold.splice(Math.floor(this.random() * this.untold.length), 1);
    receive(message!);
    if (this.random() < 0.2) receive(message!);
  }
}

/** Random numbers that are the same in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
