import { element } from './dom.js';
import { members } from './json.js';
import { localName, middle } from './names.js';
import { readable } from './value.js';

/** Most attributes that a row shows, and characters of each. */
const ATTRIBUTES = 6;
const LENGTH = 40;
/** A large event is looked at when it is opened. */
const LARGE = 20_000;

const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** The attributes of a data text for a row, as nodes: those that changed first. */
export function attributeNodes(data, changed) {
  const all = data.length > LARGE ? [] : members(data);
  const known = new Set(all.map(([name]) => name));
  const gone = [...changed].filter((name) => !known.has(name)).map((name) => [name, '']);
  const ordered = [...gone, ...all].sort(([a], [b]) => changed.has(b) - changed.has(a));
  const nodes = ordered.slice(0, ATTRIBUTES).map(([name, raw]) => element(changed.has(name) ? 'mark' : 'span', { class: 'attribute' },
    element('span', { class: 'name', title: name }, middle(localName(name), LENGTH)), ' ', element('span', { class: 'value' }, shorten(readable(raw), LENGTH))));
  if (ordered.length > ATTRIBUTES) nodes.push(element('span', { class: 'muted' }, `+${ordered.length - ATTRIBUTES}`));
  return nodes;
}

/** The types of an entity, in their colour. */
export function typeNode(types) {
  const text = types.join(', ');
  return element('span', { class: 'type', title: text }, middle(types.map(localName).join(', '), LENGTH));
}
