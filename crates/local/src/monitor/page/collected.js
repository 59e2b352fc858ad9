import { Past } from './past.js';
import { attributeTexts, dataText, isSameAttribute, withData } from './raw.js';

/** The name of the subscription that keeps the entities. */
const NAME = 'monitor-entities';

/** The fields of a subscription that select changes, and no entities. */
const OF_CHANGES = ['subscription', 'notificationTrigger', 'watchedAttributes', 'wholeEntity'];

/** The entities that match a filter, from a snapshot and the stream. It opens when a view needs it. */
export class Collected {
  #stream = null;
  #entities = null;
  #filter = null;
  #reason = null;
  #followed = '';
  #isWanted = false;
  #listeners = new Set();
  /** The entities by their keys: `{ key, entity, before, types, text }`. */
  rows = new Map();
  past = new Past();
  /** `loading`, `complete`, `interrupted` or `refused` (with `reason`: why there are no entities, and what to do). */
  state = { phase: 'loading' };

  /** Calls `listener(row)` after a change of a row, `listener(null, key)` after a removal, and `listener()` after any other change. */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** Why there are no entities, in words; null if there are, or will be soon. */
  get trouble() {
    return this.state.phase === 'refused' ? `The entities cannot be shown: ${this.state.reason}` : null;
  }

  /** A view is open. */
  want() {
    this.#isWanted = true;
    this.#follow();
  }

  /** The stream is another one, or null if there is none: nothing that is known counts. */
  use(stream) {
    this.#stream = stream;
    this.#entities = null;
    this.#followed = '';
    this.past.clear();
    this.#empty();
    this.#follow();
  }

  /** Follows the filter of a subscription that is in force. If it is null, `reason` says why, unless the answer is still to come. */
  filter(inForce, reason = null) {
    this.#filter = inForce && Object.fromEntries(Object.entries(inForce).filter(([name]) => !OF_CHANGES.includes(name)));
    this.#reason = reason;
    this.#follow();
  }

  #follow() {
    if (!this.#isWanted) return;
    if (!this.#stream || !this.#filter) {
      this.#wait();
      return;
    }
    const filter = JSON.stringify(this.#filter);
    if (this.#followed === filter) return;
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

  /** There is nothing to follow. */
  #wait() {
    this.#entities?.close();
    this.#entities = null;
    this.#followed = '';
    const reason = this.#stream ? this.#reason : 'the page is not connected. Connect it above.';
    const state = reason ? { phase: 'refused', reason } : { phase: 'loading' };
    if (this.rows.size === 0 && this.state.phase === state.phase && (this.state.reason ?? null) === reason) return;
    this.rows = new Map();
    this.#set(state);
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

const LONG_NUMBER = /\d{16}/;

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
      const { entity, before } = this;
      this.#changed = new Set(before ? [...attributeTexts(entity.data).keys()].filter((name) => !isSameAttribute(name, entity.data, before.data)) : []);
    }
    return this.#changed;
  }

  matches(search) {
    if (!search) return true;
    this.#text ??= `${this.entity.id} ${this.types.join(' ')} ${JSON.stringify(this.entity.data)}`.toLowerCase();
    // `JSON.stringify` rounds a long number. The text that arrived has it, and is slower to find.
    return this.#text.includes(search) || (LONG_NUMBER.test(search) && this.data.includes(search));
  }

  /** The entity as JSON text, with its attributes as they were published. */
  get json() {
    const { id, type, servicePath, version, timestamp, data } = this.entity;
    return withData({ id, type, servicePath, version, timestamp }, data);
  }
}
