import { Past } from './past.js';
import { dataText } from './raw.js';

/** The name of the subscription that keeps the entities. */
const NAME = 'monitor-entities';

/** The fields of a subscription that select changes, and no entities. */
const OF_CHANGES = ['subscription', 'notificationTrigger', 'watchedAttributes', 'wholeEntity'];

/** The entities that match a filter, from a snapshot and the stream. It opens when a view needs it. */
export class Collected {
  #stream = null;
  #entities = null;
  #filter = null;
  #followed = '';
  #isWanted = false;
  #listeners = new Set();
  /** The entities by their keys: `{ key, entity, before, types, text }`. */
  rows = new Map();
  past = new Past();
  /** `loading`, `complete`, `interrupted` or `refused` (with `reason`). */
  state = { phase: 'loading' };

  /** Calls `listener(row)` after a change of a row, `listener(null, key)` after a removal, and `listener()` after any other change. */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** Calls `act()` when the entity with this key is known. */
  once(key, act) {
    const listener = (row) => {
      if (row?.key !== key) return;
      this.#listeners.delete(listener);
      act();
    };
    this.#listeners.add(listener);
  }

  /** A view is open. */
  want() {
    this.#isWanted = true;
    this.#follow();
  }

  /** The stream is another one: nothing that is known counts. */
  use(stream) {
    this.#stream = stream;
    this.#entities = null;
    this.#followed = '';
    this.past.clear();
    this.#empty();
    this.#follow();
  }

  /** Follows the filter of a subscription that is in force. */
  filter(inForce) {
    this.#filter = Object.fromEntries(Object.entries(inForce).filter(([name]) => !OF_CHANGES.includes(name)));
    this.#follow();
  }

  #follow() {
    const filter = JSON.stringify(this.#filter);
    if (!this.#isWanted || !this.#stream || !this.#filter || this.#followed === filter) return;
    this.#followed = filter;
    this.#entities?.close();
    this.#empty();
    let entities;
    try {
      entities = this.#stream.entities(this.#filter, { name: NAME });
    } catch (error) {
      this.#set({ phase: 'refused', reason: error.message });
      return;
    }
    this.#entities = entities;
    const ours = (handle) => (value) => { if (this.#entities === entities) handle(value); };
    entities.onChange(ours((change) => this.#changed(change)));
    entities.on('complete', ours((isComplete) => this.#set({ phase: isComplete ? 'complete' : 'interrupted' })));
    entities.on('error', ours((error) => this.#set({ phase: 'refused', reason: error.message })));
  }

  #empty() {
    this.rows = new Map();
    this.#set({ phase: 'loading' });
  }

  #changed({ before, after }) {
    const { id, servicePath } = after ?? before;
    const key = `${id}\n${servicePath}`;
    if (!after) {
      this.rows.delete(key);
      this.#tell(null, key);
      return;
    }
    this.past.add(key, after);
    const row = new Row(key, after, before);
    this.rows.set(key, row);
    this.#tell(row, key);
  }

  #set(state) {
    this.state = state;
    this.#tell();
  }

  #tell(...change) {
    for (const listener of this.#listeners) listener(...change);
  }
}

/** An entity as last known. */
class Row {
  #text;
  #changed;

  constructor(key, entity, before) {
    this.key = key;
    this.entity = entity;
    this.before = before;
    this.types = [entity.type].flat().map(String);
    this.time = Date.parse(entity.timestamp);
  }

  /** The attributes as they were published. */
  get data() {
    return dataText(this.entity.data);
  }

  /** The names of the attributes that differ from the state before. */
  get changed() {
    if (!this.#changed) {
      const [now, old] = [this.entity.data, this.before?.data];
      this.#changed = new Set(old ? Object.keys(now).filter((name) => JSON.stringify(now[name]) !== JSON.stringify(old[name])) : []);
    }
    return this.#changed;
  }

  matches(search) {
    if (!search) return true;
    this.#text ??= `${this.entity.id} ${this.types.join(' ')} ${JSON.stringify(this.entity.data)}`.toLowerCase();
    return this.#text.includes(search);
  }

  /** The entity as JSON text, with its attributes as they were published. */
  get json() {
    const { id, type, servicePath, version, timestamp } = this.entity;
    return `${JSON.stringify({ id, type, servicePath, version, timestamp }).slice(0, -1)},"data":${this.data}}`;
  }
}
