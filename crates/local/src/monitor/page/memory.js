const STORED = 'entity-stream-monitor';

/** The state of the page: from its address, or as it was left the last time. The token is never kept. */
export function recall() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  if (hash.has('tenant') || query.has('tenant')) {
    const from = hash.has('tenant') ? hash : query;
    const types = from.get('types') ?? from.get('entityTypes') ?? '';
    return { tenant: from.get('tenant'), types, pattern: from.get('pattern') ?? from.get('idPattern') ?? '' };
  }
  try {
    const { tenant, types, pattern } = JSON.parse(localStorage.getItem(STORED)) ?? {};
    return { tenant: tenant ?? '', types: types ?? '', pattern: pattern ?? '' };
  } catch {
    return { tenant: '', types: '', pattern: '' };
  }
}

/** Keeps it, in the address too, which can be shared. */
export function remember({ tenant, types, pattern }) {
  const hash = new URLSearchParams({ tenant });
  if (types) hash.set('types', types);
  if (pattern) hash.set('pattern', pattern);
  history.replaceState(null, '', `#${hash}`);
  try {
    localStorage.setItem(STORED, JSON.stringify({ tenant, types, pattern }));
  } catch {
    // A browser that keeps nothing is none the worse for it.
  }
}
