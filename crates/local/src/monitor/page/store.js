import { member } from './json.js';

/** Most events that are kept, and most characters of them together. */
const KEPT = 2000;
const KEPT_CHARACTERS = 16_000_000;
/** Ids by which a repeat is known. */
const KNOWN_IDS = 5000;

const KINDS = { entityCreated: 'created', entityUpdated: 'updated', entityDeleted: 'deleted' };

/** One event as it arrived. */
export class Change {
  #lowerCase;

  constructor(text, message) {
    this.text = text;
    this.kind = KINDS[message.type];
    this.id = message.id;
    this.entityId = String(message.entityId);
    this.types = [message.entityType].flat().map(String);
    this.changed = new Set(message.changedAttributes ?? []);
    /** The names of the subscriptions that it matches, if one of the page's has a name. */
    this.subscriptions = (message.subscriptions ?? []).map((name) => name || 'default');
    this.servicePath = message.servicePath;
    this.timestamp = message.timestamp;
    this.dataBytes = message.truncated ? message.dataBytes : undefined;
    this.received = new Date();
  }

  /** Its data as the publisher wrote it, or undefined if the event was too large to carry it. */
  get data() {
    return this.dataBytes === undefined ? member(this.text, 'data') : undefined;
  }

  matches(search) {
    if (!search) return true;
    this.#lowerCase ??= this.text.toLowerCase();
    return this.#lowerCase.includes(search);
  }
}

/** The latest events, a limited number of them. */
export class Store {
  #changes = [];
  #characters = 0;
  #ids = new Set();
  received = 0;
  repeats = 0;

  /** Keeps an event, unless it is a repeat of one that was delivered before. */
  add(text, message) {
    // Subscriptions that show an event differently receive it each in its own form.
    const key = JSON.stringify([message.id, message.subscriptions]);
    if (this.#ids.has(key)) {
      this.repeats += 1;
      return null;
    }
    this.#ids.add(key);
    if (this.#ids.size > KNOWN_IDS) this.#ids.delete(this.#ids.values().next().value);
    const change = new Change(text, message);
    this.received += 1;
    this.#changes.push(change);
    this.#characters += text.length;
    while (this.#changes.length > KEPT || this.#characters > KEPT_CHARACTERS) {
      this.#characters -= this.#changes.shift().text.length;
    }
    return change;
  }

  /** The latest that match, the oldest of them first. */
  latest(search, most) {
    const found = [];
    for (let index = this.#changes.length - 1; index >= 0 && found.length < most; index -= 1) {
      if (this.#changes[index].matches(search)) found.push(this.#changes[index]);
    }
    return found.reverse();
  }

  clear() {
    this.#changes = [];
    this.#characters = 0;
    this.received = 0;
    this.repeats = 0;
  }
}
