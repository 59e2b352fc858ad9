import { element, grouped } from './dom.js';
import { members, pretty } from './json.js';
import { readable } from './value.js';

/** Most attributes that a row shows, and characters of each. */
const ATTRIBUTES = 6;
const VALUE_LENGTH = 40;

const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
const digits = (number, width) => String(number).padStart(width, '0');

const time = (date) =>
  `${digits(date.getHours(), 2)}:${digits(date.getMinutes(), 2)}:${digits(date.getSeconds(), 2)}.${digits(date.getMilliseconds(), 3)}`;

function attributes(change) {
  const list = element('span', { class: 'attributes' });
  const names = change.subscriptions.join(', ');
  if (names) list.append(element('span', { class: 'matched', title: `Subscriptions: ${names}` }, shorten(names, VALUE_LENGTH)));
  const data = change.data;
  if (data === undefined) {
    list.append(element('span', { class: 'muted' }, `too large to be carried: ${grouped(change.dataBytes ?? 0)} bytes of data`));
    return list;
  }
  // A large event is looked at when it is opened.
  const all = data.length > 20_000 ? [] : members(data);
  const known = new Set(all.map(([name]) => name));
  const gone = [...change.changed].filter((name) => !known.has(name)).map((name) => [name, '']);
  const ordered = [...gone, ...all].sort(([a], [b]) => change.changed.has(b) - change.changed.has(a));
  for (const [name, raw] of ordered.slice(0, ATTRIBUTES)) {
    list.append(
      element(change.changed.has(name) ? 'mark' : 'span', { class: 'attribute' },
        element('span', { class: 'name' }, shorten(name, VALUE_LENGTH)), ' ', element('span', { class: 'value' }, shorten(readable(raw), VALUE_LENGTH))),
    );
  }
  if (ordered.length > ATTRIBUTES) list.append(element('span', { class: 'muted' }, `+${ordered.length - ATTRIBUTES}`));
  return list;
}

/** Hues other than those of the kinds of change and of changed attributes. */
const HUES = [262, 178, 316, 22, 84, 200, 290, 150];

/** The same type has the same colour, everywhere. */
export function hue(text) {
  let hash = 0;
  for (let index = 0; index < Math.min(text.length, 64); index += 1) hash = (hash * 31 + text.charCodeAt(index)) % 9973;
  return HUES[hash % HUES.length];
}

/** A row of the list. Its data is laid out when it is opened for the first time. */
export function row(change) {
  const types = change.types.join(', ');
  const type = element('span', { class: 'type', title: types }, shorten(types, VALUE_LENGTH));
  type.style.setProperty('--hue', hue(change.types[0] ?? ''));
  const summary = element('button', { type: 'button', class: 'summary', 'aria-expanded': 'false', tabindex: '-1' },
    element('time', {}, time(change.received)),
    element('span', { class: 'kind' }, change.kind),
    type,
    element('span', { class: 'id', title: change.entityId }, change.entityId),
    attributes(change),
  );
  const item = element('li', { class: 'event', 'data-kind': change.kind }, summary);
  item.change = change;
  return item;
}

const ACTIONS = [['copy', 'Copy JSON'], ['entity', 'Only this entity'], ['type', 'Only this type']];

/** Opens or closes a row. */
export function toggle(item, open = item.firstChild.getAttribute('aria-expanded') !== 'true') {
  item.firstChild.setAttribute('aria-expanded', String(open));
  if (open && item.childElementCount === 1) item.append(details(item.change));
  if (item.childElementCount > 1) item.lastChild.hidden = !open;
  return open;
}

function details(change) {
  const facts = [
    ['Entity', change.entityId], ['Type', change.types.join(', ')], ['Service path', change.servicePath],
    ['Timestamp', change.timestamp], ['Event id', change.id], ['Subscriptions', change.subscriptions.join(', ') || undefined],
  ];
  const list = element('dl', { class: 'facts' });
  for (const [name, value] of facts) {
    if (value !== undefined) list.append(element('div', {}, element('dt', {}, name), element('dd', { class: 'mono' }, String(value))));
  }
  const data = change.data;
  const code = element('pre', { tabindex: '0', 'aria-label': 'Data' });
  code.append(data === undefined ? `${grouped(change.dataBytes ?? 0)} bytes, more than one message carries` : pretty(data, change.changed));
  const buttons = ACTIONS.map(([action, label]) => element('button', { type: 'button', 'data-action': action, class: 'small' }, label));
  return element('div', { class: 'details' }, list, code, element('div', { class: 'actions' }, ...buttons));
}
