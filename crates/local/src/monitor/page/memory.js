import { compact, drafts } from './draft.js';

const STORED = 'entity-stream-monitor';

/** A list of drafts from JSON of any origin. */
function parse(text) {
  try {
    return drafts(JSON.parse(text));
  } catch {
    return drafts([]);
  }
}

/** The state of the page: from its address, or as it was left the last time. The token is never kept. */
export function recall() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  if (hash.has('tenant') || query.has('tenant')) {
    const from = hash.has('tenant') ? hash : query;
    const types = from.get('types') ?? from.get('entityTypes') ?? '';
    const simple = [{ types, pattern: from.get('pattern') ?? from.get('idPattern') ?? '' }];
    return { tenant: from.get('tenant'), subscriptions: from.has('subscriptions') ? parse(from.get('subscriptions')) : drafts(simple) };
  }
  try {
    const { tenant, subscriptions } = JSON.parse(localStorage.getItem(STORED)) ?? {};
    return { tenant: tenant ?? '', subscriptions: drafts(subscriptions) };
  } catch {
    return { tenant: '', subscriptions: drafts([]) };
  }
}

/** Keeps it, in the address too, which can be shared. The address of types and a pattern alone is one that a user can write. */
export function remember({ tenant, subscriptions }) {
  const kept = subscriptions.map(compact);
  const hash = new URLSearchParams({ tenant });
  const [{ types, pattern, ...rest }] = kept;
  if (kept.length > 1 || Object.keys(rest).length > 0) {
    hash.set('subscriptions', JSON.stringify(kept));
  } else {
    if (types) hash.set('types', types);
    if (pattern) hash.set('pattern', pattern);
  }
  history.replaceState(null, '', `#${hash}`);
  try {
    localStorage.setItem(STORED, JSON.stringify({ tenant, subscriptions: kept }));
  } catch {
    // A browser that keeps nothing is none the worse for it.
  }
}
