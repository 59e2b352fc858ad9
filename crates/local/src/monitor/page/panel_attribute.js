import { element, setText } from './dom.js';
import { localName } from './names.js';
import { numberOf } from './number.js';
import { attributeTexts, isSameAttribute } from './raw.js';
import { drawSparkline, sparkline } from './sparkline.js';
import { clock } from './time.js';
import { readable } from './value.js';

/** Most previous values that are listed. */
const LISTED = 20;

/** The states of an attribute in which it differs from the state before, the oldest first. */
function values(past, name) {
  const found = [];
  for (const { at, entity: { data } } of past) {
    const text = attributeTexts(data).get(name);
    if (text === undefined) continue;
    const last = found.at(-1);
    if (!last || !isSameAttribute(name, data, last.data)) found.push({ at, data, text, number: numberOf(data[name]) });
    found.at(-1).until = at;
  }
  return found;
}

/** The points of the sparkline. The last value lasts until the latest state, so that a constant number is a flat line. */
function points(values) {
  const numbers = values.filter(({ number }) => number !== undefined);
  const last = numbers.at(-1);
  return last === values.at(-1) && last?.until > last?.at ? [...numbers, { at: last.until, number: last.number }] : numbers;
}

/** One attribute in the panel: its value, a sparkline if it is a number, and its previous values on demand. */
export class PanelAttribute {
  #name;
  #value = element('span', { class: 'entity-value mono' });
  #count = element('span', { class: 'muted numbers' });
  #head;
  #previous = element('ol', { class: 'previous', hidden: true });
  #spark = sparkline();
  #shown = [];

  constructor(name) {
    this.#name = name;
    this.#head = element('button', { type: 'button', class: 'entity-attribute', 'aria-expanded': 'false', title: name },
      element('span', { class: 'entity-name' }, localName(name)), this.#value, this.#spark, this.#count);
    this.node = element('div', { class: 'entity-row' }, this.#head, this.#previous);
    this.#head.addEventListener('click', () => {
      this.#previous.hidden = !this.#previous.hidden;
      this.#head.setAttribute('aria-expanded', String(!this.#previous.hidden));
      this.#list();
      this.node.scrollIntoView({ block: 'nearest' });
    });
  }

  update(raw, past, isChanged) {
    const value = readable(raw);
    setText(this.#value, value);
    this.#value.title = value;
    this.node.toggleAttribute('data-changed', isChanged);
    this.#shown = values(past, this.#name);
    const drawn = points(this.#shown);
    this.#spark.toggleAttribute('hidden', drawn.length < 2);
    if (drawn.length > 1) drawSparkline(this.#spark, drawn);
    const before = Math.max(0, this.#shown.length - 1);
    setText(this.#count, before > 0 ? String(before) : '');
    this.#count.title = `${before} previous values`;
    this.#list();
  }

  #list() {
    if (this.#previous.hidden) return;
    const previous = this.#shown.slice(0, -1).reverse().slice(0, LISTED);
    this.#previous.replaceChildren(...(previous.length === 0
      ? [element('li', { class: 'muted' }, 'The page has seen no other value.')]
      : previous.map(({ at, text }) => element('li', {}, element('time', {}, clock(new Date(at))), element('span', { class: 'mono' }, readable(text))))));
  }
}
