import { byId } from './dom.js';

const NAMES = ['events', 'entities', 'map', 'connections', 'letters'];

/** The pixels by which an arrow key scrolls a table. */
const STEP = 40;

/** Scrolls a table as a key says. Returns whether the key has a meaning. */
function scroll(table, key) {
  const page = table.clientHeight - STEP;
  const by = { ArrowDown: STEP, ArrowUp: -STEP, PageDown: page, PageUp: -page, Home: -table.scrollHeight, End: table.scrollHeight }[key];
  // A table that fits leaves the key to the page.
  if (by === undefined || table.scrollHeight <= table.clientHeight) return false;
  table.scrollBy(0, by);
  return true;
}

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
    // The row of tabs is wider than a small window.
    byId(`tab-${name}`).scrollIntoView({ block: 'nearest', inline: 'nearest' });
    this.#onChange(name);
  }

  /** Gives a key to the tab that is shown. Returns whether it has a meaning there. */
  key(key) {
    const view = this.#views[this.current];
    return view ? view.key(key) : scroll(byId(`view-${this.current}`).querySelector('.scroll'), key);
  }

  /** The field that searches the tab. */
  get search() {
    if (this.current !== 'entities') this.show('events');
    return byId(this.current === 'entities' ? 'entities-search' : 'search');
  }
}
