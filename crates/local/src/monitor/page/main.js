import * as api from './api.js';
import { Chart } from './chart.js';
import { watchConnections } from './connections.js';
import { copy } from './copy.js';
import { byId, grouped, setText } from './dom.js';
import { FilterForm } from './filter.js';
import { DeadLetters } from './letters.js';
import { EventList } from './list.js';
import { recall, remember } from './memory.js';
import { PublishForm } from './publish.js';
import { installShortcuts } from './shortcuts.js';
import { Simulation } from './simulation.js';
import { Status } from './status.js';
import { Store } from './store.js';
import { Stream } from './stream.js';

const TENANT = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/;
const EVERY = 2000;

const recalled = recall();
/** The tenant that is watched. The field may contain another one. */
let tenant = recalled.tenant;

const store = new Store();
const chart = new Chart();
const list = new EventList(store, act);
const filter = new FilterForm(recalled.subscriptions, {
  onSet: (fields) => changed(() => stream.set(fields)),
  onRemove: (name) => changed(() => stream.remove(name)),
  onDraft: () => changed(),
});
const stream = new Stream({
  onState: () => { status.show(); refreshConnections(); },
  onEvent,
  onSent: (name, text) => filter.sent(name, text),
  onAnswer: (name, answer) => { filter.answered(name, answer); refreshConnections(); },
  onRemoved: () => refreshConnections(),
});
const status = new Status(stream, () => tenant);
const simulation = new Simulation(() => tenant);
const letters = new DeadLetters();
new PublishForm(() => tenant);
const refreshConnections = watchConnections();

function onEvent(text, message) {
  const change = store.add(text, message);
  if (change) {
    chart.count(change.kind);
    filter.offer(change.types);
    list.add(change);
  }
}

/** The list first: it decides what a later connection has. */
function changed(act = () => {}) {
  stream.load(filter.subscriptions);
  act();
  keep();
}

/** The actions of the buttons of an opened event. */
async function act(action, change, button) {
  if (action === 'entity') filter.only({ entityId: change.entityId });
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
byId('skip').addEventListener('click', (event) => { event.preventDefault(); byId('events').focus(); });
installShortcuts({
  '/': () => byId('search').focus(),
  p: () => list.pause(),
  c: () => list.clear(),
  f: () => byId('pattern').focus(),
  n: () => byId('entity-id').focus(),
});
setInterval(() => {
  setText(byId('received'), grouped(store.received));
  setText(byId('repeats'), grouped(store.repeats));
  list.countMatches();
}, 250);
begin();
