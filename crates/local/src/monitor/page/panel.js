import { typeNode } from './attributes.js';
import { curlCommand, listenCommand } from './command.js';
import { copy } from './copy.js';
import { byId, element, setText } from './dom.js';
import { download } from './download.js';
import { hue } from './hue.js';
import { members, pretty } from './json.js';
import { PanelAttribute } from './panel_attribute.js';
import { clock, seconds } from './time.js';

const EVERY = 250;

/** The panel of one entity, beside the entities and the map. */
export class Panel {
  #collected;
  #report;
  #node = byId('entity');
  #key = null;
  #attributes = new Map();
  #parts = null;
  #timer = null;

  /** Reports `onShow(key)`, with null when it is closed, and `onFilter(entityId)` and `onEvents(entityId)` for its buttons. */
  constructor(collected, report) {
    this.#collected = collected;
    this.#report = report;
    collected.listen((row, key) => {
      if (this.#key !== null && (key === undefined || key === this.#key)) this.#timer ??= setTimeout(() => this.#update(), EVERY);
    });
    setInterval(() => { if (this.#key !== null && !document.hidden) this.#ages(); }, 1000);
    this.#node.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.close();
    });
  }

  get isOpen() {
    return this.#key !== null;
  }

  show(key) {
    if (!this.#collected.rows.has(key)) return;
    this.#key = key;
    this.#build();
    this.#node.hidden = false;
    this.#update();
    this.#report.onShow(key);
    this.#node.scrollIntoView({ block: 'nearest' });
  }

  close() {
    if (this.#key === null) return;
    this.#key = null;
    this.#node.hidden = true;
    this.#report.onShow(null);
  }

  get #row() {
    return this.#collected.rows.get(this.#key);
  }

  #build() {
    const { entity, types } = this.#row;
    const type = typeNode(types);
    type.style.setProperty('--hue', hue(types[0] ?? ''));
    const close = element('button', { type: 'button', class: 'small', 'aria-label': 'Close the entity' }, '✕');
    close.addEventListener('click', () => this.close());
    const facts = Object.fromEntries(['Age', 'Event time', 'Version', 'Service path'].map((name) => [name, element('dd', { class: 'mono numbers' })]));
    const list = element('dl', { class: 'entity-facts' }, ...Object.entries(facts).map(([name, node]) => element('div', {}, element('dt', {}, name), node)));
    const gone = element('p', { class: 'error', role: 'alert', hidden: true }, 'The entity does not match the filter any more, or was deleted.');
    const attributes = element('div', { class: 'entity-attributes' });
    const command = element('code', { class: 'mono' }, listenCommand(entity));
    const json = element('pre', { class: 'message', tabindex: '0', role: 'region', 'aria-label': 'JSON of the entity' });
    const button = (label, act) => {
      const node = element('button', { type: 'button', class: 'small' }, label);
      node.addEventListener('click', () => act(node));
      return node;
    };
    const copied = (label, text) => button(label, async (node) => { await copy(text(), node); setTimeout(() => setText(node, label), 1500); });
    this.#parts = { facts, gone, attributes, json };
    this.#attributes = new Map();
    this.#node.replaceChildren(
      element('div', { class: 'entity-head' }, element('div', { class: 'entity-names' }, type, element('h2', { id: 'entity-id-title', class: 'mono' }, entity.id)), close),
      gone, list, attributes,
      element('div', { class: 'actions' },
        copied('Copy JSON', () => this.#row?.json ?? ''), copied('Copy curl', () => curlCommand(this.#row.entity, this.#row.data)),
        button('Export', () => this.#export()),
        button('Only this entity', () => this.#report.onFilter(entity.id)), button('Its events', () => this.#report.onEvents(entity.id))),
      element('div', { class: 'command' }, command, copied('Copy', () => listenCommand(entity))),
      element('details', {}, element('summary', {}, 'JSON'), json),
    );
    this.#node.scrollTop = 0;
  }

  #update() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#key === null) return;
    const row = this.#row;
    const { facts, gone, attributes, json } = this.#parts;
    gone.hidden = row !== undefined || this.#collected.state.phase === 'loading';
    if (!row) return;
    const { entity } = row;
    setText(facts['Event time'], clock(new Date(row.time)));
    facts['Event time'].title = entity.timestamp;
    setText(facts.Version, `${entity.version ?? '–'}${entity.partial ? ', partial' : ''}`);
    setText(facts['Service path'], entity.servicePath);
    const past = this.#collected.past.of(this.#key);
    const all = new Map(members(row.data));
    for (const [name, raw] of all) {
      let attribute = this.#attributes.get(name);
      if (!attribute) {
        attribute = new PanelAttribute(name);
        this.#attributes.set(name, attribute);
        attributes.append(attribute.node);
      }
      attribute.update(raw, past, row.changed.has(name));
    }
    for (const [name, attribute] of this.#attributes) {
      if (all.has(name)) continue;
      attribute.node.remove();
      this.#attributes.delete(name);
    }
    json.replaceChildren(pretty(row.json));
    this.#ages();
  }

  #ages() {
    const row = this.#row;
    if (row) setText(this.#parts.facts.Age, seconds(Date.now() - row.time));
  }

  /** Saves the entity with the states that the page has seen. */
  #export() {
    const { entity } = this.#row;
    const states = this.#collected.past.of(this.#key).map(({ entity: { version, timestamp, data } }) => ({ version, timestamp, data }));
    const name = entity.id.replace(/[^\w.-]+/g, '_').slice(-80);
    download(`${name}.json`, `${this.#row.json.slice(0, -1)},"states":${JSON.stringify(states)}}\n`);
  }
}
