import { byId } from './dom.js';

const NAMES = ['events', 'entities', 'map', 'connections', 'letters'];

/** The tabs of the page. */
export class Views {
  #views;
  #onChange;
  current = 'events';

  /** `views` has the objects of some tabs: `show(isShown)`, and `key(key)` for the keys that move through them. */
  constructor(views, onChange) {
    this.#views = views;
    this.#onChange = onChange;
    byId('views').addEventListener('click', ({ target }) => {
      const tab = target.closest('[role="tab"]');
      if (tab) this.show(tab.id.slice('tab-'.length));
    });
    byId('views').addEventListener('keydown', (event) => {
      const at = NAMES.indexOf(this.current);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: NAMES.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.show(NAMES.at(to % NAMES.length));
      byId(`tab-${this.current}`).focus();
    });
  }

  /** Shows a tab, by its name or its number from 1 on. */
  show(which) {
    const name = typeof which === 'number' ? NAMES[which - 1] : which;
    this.current = name;
    for (const each of NAMES) {
      const tab = byId(`tab-${each}`);
      tab.setAttribute('aria-selected', String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
      byId(`view-${each}`).hidden = each !== name;
      this.#views[each]?.show(each === name);
    }
    this.#onChange(name);
  }

  /** Gives a key to the tab that is shown. Returns whether it has a meaning there. */
  key(key) {
    return this.#views[this.current]?.key(key) ?? false;
  }

  /** The field that searches the tab. */
  get search() {
    if (this.current !== 'entities') this.show('events');
    return byId(this.current === 'entities' ? 'entities-search' : 'search');
  }
}
