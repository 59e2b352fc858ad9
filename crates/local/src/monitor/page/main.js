import * as api from './api.js';
import { Chart } from './chart.js';
import { Collected } from './collected.js';
import { watchConnections } from './connections.js';
import { copy } from './copy.js';
import { byId, grouped, setText } from './dom.js';
import { EntitiesView } from './entities.js';
import { FilterForm } from './filter.js';
import { installHelp } from './help.js';
import { DeadLetters } from './letters.js';
import { EventList } from './list.js';
import { MapView } from './map.js';
import { recall, remember } from './memory.js';
import { Panel } from './panel.js';
import { PublishForm } from './publish.js';
import { Recovery } from './recovery.js';
import { installShortcuts } from './shortcuts.js';
import { Simulation } from './simulation.js';
import { Status } from './status.js';
import { Store } from './store.js';
import { Stream } from './stream.js';
import { Views } from './views.js';

const TENANT = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/;
const EVERY = 2000;

const recalled = recall();
/** The tenant that is watched. The field may contain another one. */
let tenant = recalled.tenant;

const store = new Store();
const chart = new Chart();
const list = new EventList(store, act);
const collected = new Collected();
const recovery = new Recovery();
const panel = new Panel(collected, {
  onShow: (key) => { entities.mark(key); map.mark(key); },
  onFilter: (entityId) => filter.only({ entityId }),
  onEvents: (entityId) => { views.show('events'); find(entityId); },
});
const entities = new EntitiesView(collected, (key) => panel.show(key));
const map = new MapView(collected, (key) => panel.show(key));
const views = new Views({ events: list, entities, map }, (name) => {
  if (!['entities', 'map'].includes(name)) panel.close();
});
const filter = new FilterForm(recalled.subscriptions, {
  onSet: (fields) => changed(() => stream.set(fields)),
  onRemove: (name) => changed(() => stream.remove(name)),
  onDraft: () => changed(),
  onInForce: (inForce, reason) => collected.filter(inForce, reason),
});
const stream = new Stream({
  onState: () => { status.show(); refreshConnections(); },
  onEvent,
  onAnswer: (name, answer) => { filter.answered(name, answer); refreshConnections(); },
  onRemoved: () => refreshConnections(),
  onRecovery: (verdict) => recovery.heard(verdict),
  onStream: (current) => collected.use(current),
});
const status = new Status(stream, () => tenant);
const simulation = new Simulation(() => tenant);
const letters = new DeadLetters();
new PublishForm(() => tenant);
const refreshConnections = watchConnections();

function onEvent(message, names) {
  const change = store.add(message, names);
  chart.count(change.kind);
  filter.offer(change.types);
  list.add(change);
}

/** Searches the events. */
function find(text) {
  byId('search').value = text;
  list.search(text);
}

/** Shows an entity. The panel says so while it is not known. */
function showEntity(change) {
  views.show('entities');
  panel.show(`${change.entityId}\n${change.servicePath}`, change);
}

/** The list first: it decides the subscriptions of a later connection. */
function changed(act = () => {}) {
  stream.load(filter.subscriptions);
  act();
  keep();
}

/** The actions of the buttons of an opened event. */
async function act(action, change, button) {
  if (action === 'entity') filter.only({ entityId: change.entityId });
  if (action === 'show') showEntity(change);
  if (action === 'type') filter.only({ types: change.types });
  if (action === 'copy') await copy(change.text, button);
}

function keep() {
  remember({ tenant, subscriptions: filter.drafts });
}

function connect() {
  const field = byId('tenant');
  const wanted = field.value.trim().toLowerCase();
  const valid = TENANT.test(wanted);
  field.setAttribute('aria-invalid', String(!valid));
  if (!valid) {
    stream.disconnect('A tenant is 1 to 63 of A-Z a-z 0-9 _ -, and starts with a letter, a digit or _.');
    field.focus();
    return;
  }
  if (wanted !== tenant) list.clear();
  panel.close();
  recovery.clear();
  tenant = wanted;
  keep();
  stream.load(filter.subscriptions);
  stream.connect(tenant, byId('token').value.trim());
}

async function hear() {
  let system = null;
  const { age } = simulation;
  try {
    system = await api.status();
    simulation.report(system.simulation, age);
    letters.heard(system.deadLetters);
  } catch {
    // It is told by the status.
  }
  status.heard(system);
  return system;
}

async function begin() {
  const system = await hear();
  tenant ||= system?.simulation.running?.tenant ?? 'demo';
  byId('tenant').value = tenant;
  if (system?.authentication && !system.authenticationInBand) {
    stream.disconnect('This system asks for a token. `entity-stream local --auth` prints one; `entity-stream token` makes more.');
    byId('token').focus();
  } else {
    connect();
  }
  api.poll(EVERY, hear);
}

byId('connect').addEventListener('submit', (event) => { event.preventDefault(); connect(); });
byId('search').addEventListener('input', ({ target }) => list.search(target.value));
byId('clear').addEventListener('click', () => list.clear());
// The address was changed by hand.
window.addEventListener('hashchange', () => { if (location.hash.includes('tenant=')) location.reload(); });
// Not by the address, which has something else to hold.
byId('skip').addEventListener('click', (event) => { event.preventDefault(); views.show('events'); byId('events').focus(); });
installShortcuts({
  '/': () => views.search.focus(),
  p: () => list.pause(),
  c: () => list.clear(),
  f: () => byId('pattern').focus(),
  n: () => byId('entity-id').focus(),
  '?': installHelp(),
  ...Object.fromEntries([1, 2, 3, 4, 5].map((number) => [number, () => views.show(number)])),
}, (key) => views.key(key), () => { if (panel.isOpen) panel.close(); else list.escape(); });
setInterval(() => {
  setText(byId('received'), grouped(store.received));
  setText(byId('replayed'), grouped(store.replayed));
  list.countMatches();
}, 250);
begin();
