import { byId, grouped, setText } from './dom.js';
import { refresh, row, toggle } from './row.js';

/** Most rows in the document. */
const ROWS = 300;
/** Most rows that are added at once while events pour in. The rows below them follow when it is quieter, or when the user reads. */
const AT_ONCE = 30;
/** The least time between two drawings, and the time after which it is quieter, in milliseconds. */
const EVERY = 100;
const QUIET = 400;

/**
 * The list of events, the newest first. New events are drawn ten times a second at most. While the user reads (has
 * scrolled down, opened a row, or moves through the rows), or has pressed pause, the list stands still and counts.
 */
export class EventList {
  #list = byId('events');
  #pill = byId('new-events');
  #pause = byId('pause');
  #store;
  #onAction;
  #incoming = [];
  #search = '';
  #paused = false;
  #reading = false;
  #waiting = 0;
  #timer = null;
  #drawnAt = -Infinity;
  /** True if the list lacks rows below those of a flood. */
  #isShort = false;
  #quiet;

  /** `onAction(action, change)` is called for a row's buttons. */
  constructor(store, onAction) {
    this.#store = store;
    this.#onAction = onAction;
    this.#list.addEventListener('click', (event) => this.#clicked(event));
    this.#list.addEventListener('keydown', (event) => this.#keyed(event));
    this.#list.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#pill.addEventListener('click', () => this.resume());
    this.#pause.addEventListener('click', () => this.pause());
    setInterval(() => this.#refresh(), 1000);
  }

  /** The list is drawn while its tab is hidden as well. */
  show() {}

  /** Moves through the rows from anywhere on the page. Returns whether the key has a meaning. */
  key(key) {
    return this.#move(key, document.activeElement?.closest('.event') ?? null);
  }

  /** Closes the open event, and returns to the newest. */
  escape() {
    for (const button of this.#list.querySelectorAll('[aria-expanded="true"]')) toggle(button.parentElement, false);
    this.resume();
  }

  add(change) {
    if (change.matches(this.#search)) {
      this.#incoming.push(change);
      // The older ones would leave the list in the same frame.
      if (this.#incoming.length > ROWS) this.#incoming.shift();
      if (this.#paused || this.#reading) this.#waiting += 1;
    }
    this.#schedule();
  }

  /** Holds the list, or lets it go. */
  pause(paused = !this.#paused) {
    this.#paused = paused;
    this.#pause.setAttribute('aria-pressed', String(paused));
    setText(byId('pause-text'), paused ? 'Resume' : 'Pause');
    if (paused) this.#complete();
    if (paused) this.#schedule();
    else this.resume();
  }

  /** Back to the newest, and on with it. */
  resume() {
    this.#reading = false;
    this.#list.scrollTop = 0;
    if (this.#paused) this.pause(false);
    if (this.#list.contains(document.activeElement) && document.activeElement !== this.#list) this.#list.focus();
    this.#schedule();
  }

  search(text) {
    this.#search = text.trim().toLowerCase();
    this.#redraw();
    this.countMatches();
  }

  clear() {
    this.#store.clear();
    this.#redraw();
  }

  /** Says how many of the events that are kept match the search. */
  countMatches() {
    setText(byId('matches'), this.#search ? `${grouped(this.#store.count(this.#search))} found` : '');
  }

  get #isEmpty() {
    return this.#list.childElementCount === 0;
  }

  #redraw() {
    this.#incoming = [];
    this.#waiting = 0;
    this.#reading = false;
    // The rest follows after the next key.
    this.#list.replaceChildren(...this.#store.latest(this.#search, AT_ONCE).reverse().map(row));
    this.#isShort = true;
    this.#list.scrollTop = 0;
    this.#schedule();
  }

  #schedule() {
    this.#timer ??= setTimeout(() => requestAnimationFrame((now) => this.#draw(now)), Math.max(0, this.#drawnAt + EVERY - performance.now()));
  }

  #draw(now) {
    this.#timer = null;
    this.#drawnAt = now;
    if (!this.#paused && !this.#reading) {
      this.#put(this.#incoming.reverse());
      this.#incoming = [];
      this.#waiting = 0;
    }
    this.#pill.hidden = this.#waiting === 0;
    setText(this.#pill, `↑ ${grouped(this.#waiting)} new`);
    byId('empty').hidden = !this.#isEmpty;
  }

  /** Adds the newest. */
  #put(newest) {
    if (newest.length > AT_ONCE) {
      this.#list.replaceChildren(...newest.slice(0, AT_ONCE).map(row));
      this.#isShort = true;
    } else if (newest.length > 0) {
      this.#list.prepend(...newest.map(row));
      while (this.#list.childElementCount > ROWS) this.#list.lastChild.remove();
    }
    clearTimeout(this.#quiet);
    if (this.#isShort) this.#quiet = setTimeout(() => this.#complete(), QUIET);
  }

  /** Adds the rows that a flood left out. */
  #complete() {
    if (!this.#isShort) return;
    this.#isShort = false;
    const shown = new Set([...this.#list.children].map(({ change }) => change));
    const isNew = new Set(this.#incoming);
    const older = this.#store.latest(this.#search, ROWS).reverse().filter((change) => !shown.has(change) && !isNew.has(change));
    this.#list.append(...older.slice(0, ROWS - shown.size).map(row));
  }

  /** The user reads: the list stands still, and is complete. */
  #read() {
    this.#reading = true;
    this.#complete();
  }

  #clicked({ target }) {
    const item = target.closest('.event');
    if (!item) return;
    const action = target.closest('[data-action]')?.dataset.action;
    if (action) this.#onAction(action, item.change, target);
    else if (target.closest('.summary')) this.#toggle(item);
  }

  #toggle(item) {
    if (toggle(item)) this.#read();
    else this.#settle();
  }

  #scrolled() {
    if (this.#list.scrollTop > 8) this.#read();
    else this.#settle();
  }

  /** The reading ends at the top of the list, with nothing opened and the keyboard elsewhere. */
  #settle() {
    const opened = this.#list.querySelector('[aria-expanded="true"]');
    const within = this.#list.contains(document.activeElement) && document.activeElement.matches(':focus-visible') && document.activeElement !== this.#list;
    if (this.#list.scrollTop <= 8 && !opened && !within) {
      this.#reading = false;
      this.#schedule();
    }
  }

  #keyed(event) {
    const { key, target } = event;
    if (key === 'Escape') {
      event.preventDefault();
      this.escape();
    } else if (!target.closest('pre') && this.#move(key, target.closest('.event'))) {
      // In the data itself, the keys scroll it.
      event.preventDefault();
    }
  }

  #move(key, item) {
    const to = {
      ArrowDown: () => (item ? item.nextElementSibling : this.#list.firstElementChild),
      ArrowUp: () => item?.previousElementSibling,
      Home: () => this.#list.firstElementChild,
      End: () => this.#list.lastElementChild,
    }[key];
    if (!to) return false;
    const next = to();
    if (!next) return true;
    this.#read();
    next.firstChild.focus();
    next.scrollIntoView({ block: 'nearest' });
    return true;
  }

  /** Shows the present age of the rows. */
  #refresh() {
    if (!document.hidden) for (const item of this.#list.children) refresh(item);
  }
}
