import { byId, element, setText } from './dom.js';

/** The buttons that choose a subscription, the default one first, and the one that adds a subscription. */
export class SubscriptionTabs {
  #row = byId('subscriptions');
  #tabs = new Map();
  #add = element('button', { type: 'button', class: 'chip add' }, '+ Add');

  constructor({ onSelect, onAdd }) {
    this.#row.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (button === this.#add) onAdd();
      else if (button) onSelect([...this.#tabs].find(([, tab]) => tab === button)[0]);
    });
  }

  /** Shows these subscriptions, of which one is selected. Buttons that stay keep the focus. */
  show(subscriptions, selected) {
    for (const [gone, tab] of this.#tabs) {
      if (subscriptions.includes(gone)) continue;
      tab.remove();
      this.#tabs.delete(gone);
    }
    for (const one of subscriptions) {
      let tab = this.#tabs.get(one);
      if (!tab) {
        tab = element('button', { type: 'button', class: 'chip' });
        this.#tabs.set(one, tab);
        this.#row.append(tab, this.#add);
      }
      tab.setAttribute('aria-pressed', String(one === selected));
      tab.toggleAttribute('data-invalid', Boolean(one.error));
      const note = one.error ? ' (refused)' : one.draft.off ? ' (off)' : '';
      setText(tab, `${one.isDefault ? 'Default' : one.draft.name || 'No name'}${note}`);
    }
  }

  focus(one) {
    this.#tabs.get(one)?.focus();
  }
}
