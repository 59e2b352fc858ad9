/** Most states of one entity that are kept, and most of all entities together. */
const OF_ONE = 60;
const OF_ALL = 20_000;

/** The states that the page has seen of each entity, a limited number of them. */
export class Past {
  #states = new Map();
  /** The keys of the states, the oldest first, and the number of those that are gone. */
  #order = [];
  #gone = 0;

  add(key, entity) {
    let states = this.#states.get(key);
    if (!states) this.#states.set(key, states = []);
    states.push({ at: Date.parse(entity.timestamp) || Date.now(), entity });
    this.#order.push(key);
    if (states.length > OF_ONE) states.shift();
    while (this.#order.length - this.#gone > OF_ALL) this.#forget();
  }

  /** The states of an entity, the oldest first. */
  of(key) {
    return this.#states.get(key) ?? [];
  }

  clear() {
    this.#states.clear();
    this.#order = [];
    this.#gone = 0;
  }

  #forget() {
    const key = this.#order[this.#gone];
    this.#gone += 1;
    if (this.#gone > OF_ALL) {
      this.#order = this.#order.slice(this.#gone);
      this.#gone = 0;
    }
    const states = this.#states.get(key);
    states?.shift();
    if (states?.length === 0) this.#states.delete(key);
  }
}
