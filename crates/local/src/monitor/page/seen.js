import { entries } from './draft.js';
import { byId, element } from './dom.js';
import { hue } from './hue.js';

/** Most types that are offered. */
const OFFERED = 12;

/** The types that events had, to choose from. */
export class SeenTypes {
  #seen = byId('seen');
  #field = byId('types');
  #known = new Map();

  /** `onChange()` is called when a type was chosen. */
  constructor(onChange) {
    this.#seen.addEventListener('click', ({ target }) => {
      const type = target.closest('button')?.textContent;
      if (!type) return;
      this.#toggle(type);
      onChange();
    });
  }

  /** Offers the types that an event had. */
  offer(types) {
    for (const type of types) {
      if (this.#known.has(type) || this.#known.size >= OFFERED || type.includes(',') || type.length > 60) continue;
      const chip = element('button', { type: 'button', class: 'chip', 'aria-pressed': 'false' }, type);
      chip.style.setProperty('--hue', hue(type));
      this.#known.set(type, chip);
      this.#seen.append(chip);
      this.press();
    }
  }

  /** Shows which types the field has. */
  press() {
    const types = new Set(entries(this.#field.value));
    for (const [type, chip] of this.#known) chip.setAttribute('aria-pressed', String(types.has(type)));
  }

  #toggle(type) {
    const types = entries(this.#field.value);
    const others = types.filter((other) => other !== type);
    this.#field.value = (others.length === types.length ? [...types, type] : others).join(', ');
  }
}
