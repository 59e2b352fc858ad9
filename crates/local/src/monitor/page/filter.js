import { byId, element, setMessage, setText } from './dom.js';
import { hue } from './row.js';

/** The longest pause while typing, in milliseconds. */
const TYPING = 300;
/** Most types that are offered. */
const OFFERED = 12;

/** A text as a pattern that matches it and nothing else, in the server's regular expressions. */
const literally = (text) => `^${text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')}$`;

/** The filter's fields. The server judges them: its patterns are those of Rust's `regex`, which a browser does not have. */
export class FilterForm {
  #types = byId('types');
  #pattern = byId('pattern');
  #seen = byId('seen');
  #known = new Map();
  #onChange;
  #timer;

  constructor({ types, pattern }, onChange) {
    this.#types.value = types;
    this.#pattern.value = pattern;
    this.#onChange = onChange;
    byId('filter').addEventListener('submit', (event) => { event.preventDefault(); this.#changed(); });
    byId('filter').addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#changed(), TYPING);
    });
    this.#seen.addEventListener('click', ({ target }) => {
      const type = target.closest('button')?.textContent;
      if (type) this.#toggleType(type);
    });
  }

  get types() {
    return this.#types.value;
  }

  get pattern() {
    return this.#pattern.value;
  }

  /** As `subscribe` takes it. */
  get filter() {
    return { entityTypes: this.#typeList(), idPattern: this.pattern };
  }

  /** Shows the server's answer to the filter. */
  answered({ filter, error }) {
    setMessage(byId('filter-error'), error);
    const blamed = error && (/^entityTypes/.test(error) ? this.#types : this.#pattern);
    for (const field of [this.#types, this.#pattern]) {
      if (field === blamed) field.setAttribute('aria-invalid', 'true');
      else field.removeAttribute('aria-invalid');
    }
    if (error) {
      setText(byId('filter-state'), 'Not in force. The previous filter stays in force.');
      return;
    }
    const restricted = filter.entityTypes.length > 0 || filter.idPattern !== '';
    setText(byId('filter-state'), restricted ? '✓ In force' : '');
  }

  /** Offers a type that an event had. */
  offer(types) {
    for (const type of types) {
      if (this.#known.has(type) || this.#known.size >= OFFERED || type.includes(',') || type.length > 60) continue;
      const chip = element('button', { type: 'button', class: 'chip', 'aria-pressed': 'false' }, type);
      chip.style.setProperty('--hue', hue(type));
      this.#known.set(type, chip);
      this.#seen.append(chip);
      this.#press();
    }
  }

  only({ types, entityId }) {
    if (types) this.#types.value = types.join(', ');
    if (entityId !== undefined) this.#pattern.value = literally(entityId);
    this.#changed();
  }

  #typeList() {
    return this.types.split(',').map((type) => type.trim()).filter(Boolean);
  }

  #toggleType(type) {
    const types = this.#typeList();
    const others = types.filter((other) => other !== type);
    this.#types.value = (others.length === types.length ? [...types, type] : others).join(', ');
    this.#changed();
  }

  #press() {
    const types = new Set(this.#typeList());
    for (const [type, chip] of this.#known) chip.setAttribute('aria-pressed', String(types.has(type)));
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#press();
    this.#onChange();
  }
}
