import { element } from './dom.js';

/** Rows beyond the visible ones that are drawn. */
const SPARE = 6;

/**
 * A list of any length: only the visible rows are in the document. All rows have the same height.
 * `fill(node, item)` lays out a row, and `onOpen(item)` is called when a row is opened.
 */
export class Grid {
  #scroller;
  #body;
  #fill;
  #onOpen;
  #items = [];
  #nodes = [];
  #frame = 0;
  /** The key of the row that the keyboard is on. */
  #current = null;
  #open = null;

  constructor(scroller, body, { fill, onOpen }) {
    this.#scroller = scroller;
    this.#body = body;
    this.#fill = fill;
    this.#onOpen = onOpen;
    scroller.addEventListener('scroll', () => this.draw(), { passive: true });
    scroller.addEventListener('keydown', (event) => { if (event.target === scroller && this.key(event.key)) event.preventDefault(); });
    body.addEventListener('click', ({ target }) => {
      const node = target.closest('.grid-row');
      if (node) this.#choose(Number(node.getAttribute('aria-rowindex')) - 2, true);
    });
    new ResizeObserver(() => this.draw()).observe(scroller);
  }

  /** Shows these items, each with a `key`. */
  show(items) {
    this.#items = items;
    this.draw();
  }

  /** Marks the row whose details are shown. */
  mark(key) {
    this.#open = key;
    this.draw();
  }

  draw() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  /** Moves to a row, as a key says; opens the row with Enter. Returns whether the key has a meaning. */
  key(key) {
    const at = this.#items.findIndex((item) => item.key === this.#current);
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#height) - 2);
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity, Enter: at }[key];
    if (to === undefined || (key === 'Enter' && at < 0)) return false;
    // The grid names its current row to assistive technology while it has the focus.
    this.#scroller.focus({ preventScroll: true });
    this.#scroller.scrollIntoView({ block: 'nearest' });
    this.#choose(Math.max(0, Math.min(this.#items.length - 1, to)), key === 'Enter' || this.#open !== null);
    return true;
  }

  get #height() {
    return Number.parseFloat(getComputedStyle(this.#body).getPropertyValue('--row-height')) || 36;
  }

  #choose(index, isOpen) {
    const item = this.#items[index];
    if (!item) return;
    this.#current = item.key;
    this.#reveal(index);
    this.draw();
    if (isOpen) this.#onOpen(item);
  }

  #reveal(index) {
    const height = this.#height;
    const heads = this.#body.offsetTop;
    const [top, bottom] = [index * height, (index + 1) * height];
    const seen = this.#scroller.clientHeight - heads;
    if (top < this.#scroller.scrollTop) this.#scroller.scrollTop = top;
    else if (bottom > this.#scroller.scrollTop + seen) this.#scroller.scrollTop = bottom - seen;
  }

  #draw() {
    if (this.#scroller.clientHeight === 0) return;
    const height = this.#height;
    const first = Math.max(0, Math.floor(this.#scroller.scrollTop / height) - SPARE);
    const count = Math.min(this.#items.length - first, Math.ceil(this.#scroller.clientHeight / height) + 2 * SPARE);
    this.#body.style.height = `${this.#items.length * height}px`;
    this.#scroller.setAttribute('aria-rowcount', String(this.#items.length + 1));
    while (this.#nodes.length < count) this.#nodes.push(this.#body.appendChild(element('div', { role: 'row', class: 'grid-row', id: `row-${this.#nodes.length}` })));
    let active = null;
    this.#nodes.forEach((node, place) => {
      // A row keeps its node while the list is scrolled.
      const index = first + ((place - first) % this.#nodes.length + this.#nodes.length) % this.#nodes.length;
      const item = this.#items[index];
      node.hidden = index >= first + count || !item;
      if (node.hidden) return;
      node.style.transform = `translateY(${index * height}px)`;
      node.setAttribute('aria-rowindex', String(index + 2));
      node.setAttribute('aria-selected', String(item.key === this.#open));
      node.toggleAttribute('data-current', item.key === this.#current);
      if (item.key === this.#current) active = node.id;
      this.#fill(node, item);
    });
    if (active) this.#scroller.setAttribute('aria-activedescendant', active);
    else this.#scroller.removeAttribute('aria-activedescendant');
  }
}
