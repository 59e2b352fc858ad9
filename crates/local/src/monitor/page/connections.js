import { age } from './time.js';
import * as api from './api.js';
import { describe } from './describe.js';
import { byId, element, grouped, setText } from './dom.js';

const EVERY = 2000;
/** Most subscriptions of a connection that the table shows. */
const SHOWN = 4;

/** The name of a user agent, in a word or two. */
function client(userAgent) {
  if (!userAgent) return '';
  const browser = /(Firefox|Edg|OPR|Chrome|Chromium|Safari)\/(\d+)/.exec(userAgent);
  return browser ? `${{ Edg: 'Edge', OPR: 'Opera' }[browser[1]] ?? browser[1]} ${browser[2]}` : userAgent.slice(0, 40);
}

/** The subscriptions, one a line. Only a connection that has others shows the name of the default one. */
function subscriptions({ subscriptions: list, pending }) {
  if (pending) return [element('span', { class: 'muted' }, 'not authenticated yet')];
  if (list.length === 0) return [element('span', { class: 'muted' }, 'nothing')];
  const lines = list.slice(0, SHOWN).map((one) => {
    const text = describe(one);
    const isNamed = list.length > 1 || one.subscription !== undefined;
    return element('span', { class: 'line', title: text },
      isNamed ? element('span', { class: 'matched' }, one.subscription ?? 'default') : null, isNamed ? ' ' : null,
      element('span', { class: text === 'every change' ? 'muted' : 'mono' }, text));
  });
  if (list.length > SHOWN) lines.push(element('span', { class: 'line muted' }, `and ${list.length - SHOWN} more`));
  return lines;
}

function row(connection) {
  // In a small window, each cell has its label beside it.
  const cell = (label, attributes, ...children) => element('td', { 'data-label': label, ...attributes }, ...children);
  return element('tr', { 'data-id': connection.id },
    element('th', { scope: 'row', class: 'mono', 'data-label': 'Tenant' }, connection.tenant),
    cell('Subscriptions', { class: 'subscribed' }, element('div', {}, ...subscriptions(connection))),
    cell('Format', {}, connection.format),
    cell('Group', { class: 'mono' }, connection.group ?? '–'),
    cell('Client', { title: connection.userAgent ?? '' }, client(connection.userAgent) || '–'),
    cell('Connected', { class: 'numbers', title: new Date(connection.connectedAt).toLocaleString() }, age(connection.connectedAt)),
  );
}

/** Keeps the table of connections up to date. Returns a function that does so at once. */
export function watchConnections() {
  return api.poll(EVERY, async () => {
    let answer;
    try {
      answer = await api.connections();
    } catch {
      return;
    }
    const { total, connections } = answer;
    setText(byId('connections-count'), grouped(total));
    const rows = connections.map(row);
    if (total > connections.length) {
      rows.push(element('tr', {}, element('td', { colspan: '6', class: 'muted' }, `and ${grouped(total - connections.length)} more`)));
    }
    byId('connections').replaceChildren(...rows);
  });
}
