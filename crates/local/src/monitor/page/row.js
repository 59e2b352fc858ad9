import { attributeNodes, typeNode } from './attributes.js';
import { element, grouped, setText } from './dom.js';
import { hue } from './hue.js';
import { pretty } from './json.js';
import { idNode, middle } from './names.js';
import { clock, seconds, span } from './time.js';

/** Says why an event has no data. */
function absence({ dataBytes, kind }) {
  if (dataBytes !== undefined) return `too large to be carried: ${grouped(dataBytes)} bytes of data`;
  return kind === 'left' ? 'does not match the filter any more' : 'no data';
}

/** Says it in an opened row. */
function explanation({ dataBytes, kind }) {
  if (dataBytes !== undefined) return `${grouped(dataBytes)} bytes, more than one message carries`;
  return kind === 'left' ? 'The entity has changed and does not match the filter any more. Such an event has no data.' : 'The event has no data.';
}

function attributes(change) {
  const list = element('span', { class: 'attributes' });
  const names = change.subscriptions.join(', ');
  if (change.isReplayed) list.append(element('span', { class: 'matched', title: 'The event comes from the history' }, 'replayed'));
  if (names) list.append(element('span', { class: 'matched', title: `Subscriptions: ${names}` }, middle(names, 40)));
  const data = change.data;
  if (data === undefined) list.append(element('span', { class: 'muted' }, absence(change)));
  else list.append(...attributeNodes(data, change.changed));
  return list;
}

/** A row of the list. Its data is laid out when it is opened for the first time. */
export function row(change) {
  const type = typeNode(change.types);
  type.style.setProperty('--hue', hue(change.types[0] ?? ''));
  const lag = element('span', { class: 'lag' }, span(change.lag));
  if (change.lag > 5000) lag.classList.add('late');
  const summary = element('button', { type: 'button', class: 'summary', 'aria-expanded': 'false', tabindex: '-1' },
    element('time', { title: `Received at ${clock(change.received)}` }, clock(change.time)),
    element('span', { class: 'age' }, seconds(Date.now() - change.time)),
    lag,
    element('span', { class: 'kind' }, change.kind),
    type,
    idNode(change.entityId),
    attributes(change),
  );
  const item = element('li', { class: 'event', 'data-kind': change.kind }, summary);
  item.change = change;
  return item;
}

/** Shows the present age of a row. */
export function refresh(item) {
  setText(item.firstChild.children[1], seconds(Date.now() - item.change.time));
}

const ACTIONS = [['copy', 'Copy JSON'], ['show', 'Show the entity'], ['entity', 'Only this entity'], ['type', 'Only this type']];

/** Opens or closes a row. */
export function toggle(item, open = item.firstChild.getAttribute('aria-expanded') !== 'true') {
  item.firstChild.setAttribute('aria-expanded', String(open));
  if (open && item.childElementCount === 1) item.append(details(item.change));
  if (item.childElementCount > 1) item.lastChild.hidden = !open;
  if (open) item.scrollIntoView({ block: 'nearest' });
  return open;
}

function details(change) {
  const facts = [
    ['Entity', change.entityId], ['Type', change.types.join(', ')], ['Service path', change.servicePath], ['Version', change.version],
    ['Event time', change.timestamp], ['Received', clock(change.received)], ['Lag', span(change.lag)], ['Event id', change.id],
    ['Subscriptions', change.subscriptions.join(', ') || undefined],
  ];
  const list = element('dl', { class: 'facts' });
  for (const [name, value] of facts) {
    if (value !== undefined) list.append(element('div', {}, element('dt', {}, name), element('dd', { class: 'mono' }, String(value))));
  }
  const data = change.data;
  const code = element('pre', { tabindex: '0', role: 'region', 'aria-label': 'Data' });
  code.append(data === undefined ? explanation(change) : pretty(data, change.changed));
  const buttons = ACTIONS.map(([action, label]) => element('button', { type: 'button', 'data-action': action, class: 'small' }, label));
  return element('div', { class: 'details' }, list, code, element('div', { class: 'actions' }, ...buttons));
}
