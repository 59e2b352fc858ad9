import { attributeNodes, typeNode } from './attributes.js';
import { byId, element, grouped, setText } from './dom.js';
import { download } from './download.js';
import { Grid } from './grid.js';
import { hue } from './hue.js';
import { idNode } from './names.js';
import { seconds } from './time.js';

/** The time between two drawings of changes, in milliseconds. */
const EVERY = 200;

const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const byKey = (a, b) => text(a.key, b.key);
const ORDERS = {
  id: byKey,
  type: (a, b) => text(a.types[0], b.types[0]) || byKey(a, b),
  version: (a, b) => (b.entity.version ?? 0) - (a.entity.version ?? 0) || byKey(a, b),
  // An entity without a readable time is the oldest.
  age: (a, b) => (b.time || 0) - (a.time || 0) || byKey(a, b),
};

/** The tab of the entities. */
export class EntitiesView {
  #collected;
  #grid;
  #search = '';
  #sort = 'id';
  #isReversed = false;
  #isShown = false;
  #timer = null;
  #ordered = [];
  /** True if rows were added or removed, or the order depends on changes. */
  #isStale = true;

  constructor(collected, onOpen) {
    this.#collected = collected;
    this.#grid = new Grid(byId('entities'), byId('entities-body'), { fill, onOpen: (row) => onOpen(row.key) });
    collected.listen((row) => {
      this.#isStale ||= !row || row.before === undefined || this.#sort === 'age' || this.#sort === 'version' || this.#search !== '';
      this.#later();
    });
    byId('entities-search').addEventListener('input', ({ target }) => { this.#search = target.value.trim().toLowerCase(); this.#again(); });
    byId('entities-export').addEventListener('click', () => download('entities.json', `[\n${this.#ordered.map(({ json }) => json).join(',\n')}\n]\n`));
    byId('entities-heads').addEventListener('click', ({ target }) => {
      const head = target.closest('[data-sort]');
      if (head) this.#sortBy(head.dataset.sort);
    });
    this.#heads();
    setInterval(() => { if (this.#isShown && !document.hidden) this.#grid.draw(); }, 1000);
  }

  show(isShown) {
    this.#isShown = isShown;
    if (!isShown) return;
    this.#collected.want();
    this.#again();
  }

  key(key) {
    return this.#grid.key(key);
  }

  mark(key) {
    this.#grid.mark(key);
  }

  #sortBy(column) {
    this.#isReversed = column === this.#sort && !this.#isReversed;
    this.#sort = column;
    this.#heads();
    this.#again();
  }

  #heads() {
    for (const head of byId('entities-heads').querySelectorAll('[data-sort]')) {
      const isSorted = head.dataset.sort === this.#sort;
      head.setAttribute('aria-sort', isSorted ? (this.#isReversed ? 'descending' : 'ascending') : 'none');
    }
  }

  #again() {
    this.#isStale = true;
    this.#draw();
  }

  #later() {
    if (this.#isShown) this.#timer ??= setTimeout(() => this.#draw(), EVERY);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { rows } = this.#collected;
    if (this.#isStale) {
      const order = ORDERS[this.#sort];
      this.#ordered = [...rows.values()].filter((row) => row.matches(this.#search)).sort(this.#isReversed ? (a, b) => order(b, a) : order);
      this.#isStale = false;
    } else {
      this.#ordered = this.#ordered.map(({ key }) => rows.get(key));
    }
    this.#grid.show(this.#ordered);
    setText(byId('entities-state'), this.#state(rows.size));
  }

  #state(size) {
    const { trouble, state: { phase } } = this.#collected;
    if (trouble) return trouble;
    const number = this.#search ? `${grouped(this.#ordered.length)} of ${grouped(size)}` : `${grouped(size)} ${size === 1 ? 'entity' : 'entities'}`;
    return { loading: size === 0 ? 'Loading' : `Loading, ${number}`, interrupted: `${number}, as of the lost connection` }[phase] ?? number;
  }
}

/** Lays out a row. Only the age changes while the entity stays the same. */
function fill(node, row) {
  if (node.row !== row) {
    const type = typeNode(row.types);
    type.style.setProperty('--hue', hue(row.types[0] ?? ''));
    const cell = (name, ...children) => element('span', { role: 'gridcell', class: name }, ...children);
    node.replaceChildren(
      cell('cell', type),
      cell('cell', idNode(row.entity.id)),
      cell('attributes', ...attributeNodes(row.data, row.changed)),
      cell('cell version end', row.entity.version === undefined ? '–' : String(row.entity.version)),
      cell('cell age end', ''),
    );
    node.row = row;
  }
  setText(node.lastChild, seconds(Date.now() - row.time));
}
