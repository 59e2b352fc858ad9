import { age } from './age.js';
import * as api from './api.js';
import { byId, element, grouped, setText } from './dom.js';

const EVERY = 2000;

/** The name of a user agent, in a word or two. */
function client(userAgent) {
  if (!userAgent) return '';
  const browser = /(Firefox|Edg|OPR|Chrome|Chromium|Safari)\/(\d+)/.exec(userAgent);
  return browser ? `${{ Edg: 'Edge', OPR: 'Opera' }[browser[1]] ?? browser[1]} ${browser[2]}` : userAgent.slice(0, 40);
}

function describe(connection) {
  const { entityTypes, idPattern, subscribed, pending } = connection;
  if (pending) return ['not authenticated yet', ''];
  if (!subscribed) return ['nothing', ''];
  return [entityTypes.length > 0 ? entityTypes.join(', ') : 'every type', idPattern ?? 'every id'];
}

function row(connection) {
  const [types, pattern] = describe(connection);
  const muted = (restricted) => (restricted ? 'mono' : 'muted');
  return element('tr', { 'data-id': connection.id },
    element('th', { scope: 'row', class: 'mono' }, connection.tenant),
    element('td', { class: muted(connection.entityTypes.length > 0) }, types),
    element('td', { class: muted(connection.idPattern !== null) }, pattern),
    element('td', {}, connection.format),
    element('td', { class: 'mono' }, connection.group ?? '–'),
    element('td', { title: connection.userAgent ?? '' }, client(connection.userAgent) || '–'),
    element('td', { class: 'numbers', title: new Date(connection.connectedAt).toLocaleString() }, age(connection.connectedAt)),
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
      rows.push(element('tr', {}, element('td', { colspan: '7', class: 'muted' }, `and ${grouped(total - connections.length)} more`)));
    }
    byId('connections').replaceChildren(...rows);
  });
}
