import { typeNode } from './attributes.js';
import { curlCommand, listenCommand } from './command.js';
import { copy } from './copy.js';
import { byId, element, setMessage, setText } from './dom.js';
import { download } from './download.js';
import { hue } from './hue.js';
import { pretty } from './json.js';
import { PanelAttribute } from './panel_attribute.js';
import { attributeTexts, withData } from './raw.js';
import { clock, seconds } from './time.js';

const EVERY = 250;

/** The panel of one entity, beside the entities and the map. */
export class Panel {
  #collected;
  #report;
  #node = byId('entity');
  #key = null;
  /** The entity as last known: it stays when the entity is deleted or leaves the filter. Null until it is known. */
  #row = null;
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

  /** Shows an entity. With an `event` of it, the panel opens before the entity is known, and says so. */
  show(key, event) {
    const row = this.#collected.rows.get(key);
    if (!row && !event) return;
    this.#key = key;
    this.#row = null;
    this.#node.hidden = false;
    if (!row) this.#begin(event.types, event.entityId);
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

  /** The head, and below it these nodes. */
  #begin(types, id, ...nodes) {
    const type = typeNode(types);
    type.style.setProperty('--hue', hue(types[0] ?? ''));
    const close = element('button', { type: 'button', class: 'small', 'aria-label': 'Close the entity' }, '✕');
    close.addEventListener('click', () => this.close());
    const note = element('p', { class: 'error', role: 'alert', hidden: true });
    this.#parts = { note };
    this.#node.replaceChildren(
      element('div', { class: 'entity-head' }, element('div', { class: 'entity-names' }, type, element('h2', { id: 'entity-id-title', class: 'mono' }, id)), close),
      note, ...nodes,
    );
    this.#node.scrollTop = 0;
  }

  #build() {
    const { entity, types } = this.#row;
    const facts = Object.fromEntries(['Age', 'Event time', 'Version', 'Service path'].map((name) => [name, element('dd', { class: 'mono numbers' })]));
    const list = element('dl', { class: 'entity-facts' }, ...Object.entries(facts).map(([name, node]) => element('div', {}, element('dt', {}, name), node)));
    const partial = element('p', { class: 'hint', hidden: true },
      'Partial: attributes may be missing, because the system saw no creation of the entity, or because a change was too large to be carried.');
    const attributes = element('div', { class: 'entity-attributes' });
    const command = element('code', { class: 'mono' }, listenCommand(entity));
    const json = element('pre', { class: 'message', tabindex: '0', role: 'region', 'aria-label': 'JSON of the entity' });
    const button = (label, act) => {
      const node = element('button', { type: 'button', class: 'small' }, label);
      node.addEventListener('click', () => act(node));
      return node;
    };
    const copied = (label, text) => button(label, async (node) => { await copy(text(), node); setTimeout(() => setText(node, label), 1500); });
    this.#attributes = new Map();
    this.#begin(types, entity.id,
      partial, list, attributes,
      element('div', { class: 'actions' },
        copied('Copy JSON', () => this.#row.json), copied('Copy curl', () => curlCommand(this.#row.entity, this.#row.data)),
        button('Export', () => this.#export()),
        button('Only this entity', () => this.#report.onFilter(entity.id)), button('Its events', () => this.#report.onEvents(entity.id))),
      element('div', { class: 'command' }, command, copied('Copy', () => listenCommand(entity))),
      element('details', {}, element('summary', {}, 'JSON'), json));
    Object.assign(this.#parts, { facts, partial, attributes, json });
  }

  /** Why the entity is not among the entities that are known; null if it is. */
  #absence(isKnown) {
    const { trouble, state: { phase } } = this.#collected;
    if (isKnown) return null;
    if (phase === 'loading') return this.#row ? null : 'Loading the entities.';
    return trouble ?? `The entity does not match the filter${this.#row ? ' any more' : ''}, or was deleted.`;
  }

  #update() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#key === null) return;
    const row = this.#collected.rows.get(this.#key);
    const isFirst = row && !this.#row;
    if (row) this.#row = row;
    if (isFirst) this.#build();
    this.#parts.note.className = this.#collected.state.phase === 'loading' ? 'hint' : 'error';
    setMessage(this.#parts.note, this.#absence(Boolean(row)));
    if (!row) return;
    const { facts, partial, attributes, json } = this.#parts;
    const { entity } = row;
    partial.hidden = !entity.partial;
    setText(facts['Event time'], clock(new Date(row.time)));
    facts['Event time'].title = entity.timestamp;
    setText(facts.Version, `${entity.version ?? '–'}${entity.partial ? ', partial' : ''}`);
    setText(facts['Service path'], entity.servicePath);
    const past = this.#collected.past.of(this.#key);
    const all = attributeTexts(entity.data);
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
    const states = this.#collected.past.of(this.#key).map(({ entity: { version, timestamp, data } }) => withData({ version, timestamp }, data));
    const name = entity.id.replace(/[^\w.-]+/g, '_').slice(-80);
    download(`${name}.json`, `${this.#row.json.slice(0, -1)},"states":[${states.join(',')}]}\n`);
  }
}
