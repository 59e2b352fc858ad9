import { member } from './json.js';
import { sizeOf, textOf } from './raw.js';

/** Most events that are kept, and most characters of them together. */
const KEPT = 2000;
const KEPT_CHARACTERS = 16_000_000;
/** Most events that a search reads for the first time at once. */
const READ_AT_ONCE = 300;

const KINDS = { entityCreated: 'created', entityUpdated: 'updated', entityDeleted: 'deleted', entityLeft: 'left' };

/** One event as it arrived. */
export class Change {
  #message;
  #lowerCase;

  constructor(message, names) {
    this.#message = message;
    this.size = sizeOf(message);
    this.kind = KINDS[message.type];
    this.id = message.id;
    this.entityId = String(message.entityId);
    this.types = [message.entityType].flat().map(String);
    this.changed = new Set(message.changedAttributes ?? []);
    /** The names of the page's subscriptions that it matches, if it has more than the default one. */
    this.subscriptions = names;
    this.servicePath = message.servicePath;
    this.timestamp = message.timestamp;
    /** The size of data that was too large to be carried. */
    this.dataBytes = message.truncated ? message.dataBytes ?? 0 : undefined;
    this.version = message.version;
    this.isReplayed = message.replayed === true;
    this.received = new Date();
    this.time = new Date(message.timestamp);
  }

  /** The event as it arrived. */
  get text() {
    return textOf(this.#message);
  }

  /** The time from the change until the page received it, in milliseconds. */
  get lag() {
    return this.received - this.time;
  }

  /** Its data as the publisher wrote it, or undefined if the event has none or was too large to carry it. */
  get data() {
    return this.dataBytes === undefined ? member(this.text, 'data') : undefined;
  }

  /** True if a search knows its text. */
  get isRead() {
    return this.#lowerCase !== undefined;
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
  received = 0;
  replayed = 0;

  /** Keeps an event. The client has dropped repeats. */
  add(message, names) {
    const change = new Change(message, names);
    this.received += 1;
    if (change.isReplayed) this.replayed += 1;
    this.#changes.push(change);
    this.#characters += change.size;
    while (this.#changes.length > KEPT || this.#characters > KEPT_CHARACTERS) {
      this.#characters -= this.#changes.shift().size;
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

  /** The number of those that match, among those that were read. Each call reads some more. */
  count(search) {
    let left = READ_AT_ONCE;
    return this.#changes.filter((change) => {
      if (!change.isRead) left -= 1;
      return (change.isRead || left >= 0) && change.matches(search);
    }).length;
  }

  clear() {
    this.#changes = [];
    this.#characters = 0;
    this.received = 0;
    this.replayed = 0;
  }
}
