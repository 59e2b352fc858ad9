// React Native has a `URL` without most of its members, so that URLs are read and written as text here.

/** Parameters of the wire contract that the program says in another way, and those that only this client sets. */
const TAKEN: Record<string, string> = {
  token: 'because URLs are often logged; use getToken instead',
  tenant: 'use the option tenant instead',
  group_id: 'use the option groupId instead',
  ...Object.fromEntries(['entityTypes', 'entityIds', 'idPattern', 'wholeEntity', 'showChanges'].map((name) => [name, 'use subscribe() instead'])),
  ...Object.fromEntries(['subscribe', 'batch', 'format', 'ack'].map((name) => [name, 'this client sets it'])),
};
const EXAMPLE = 'ws://localhost:3000 or wss://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod';

/** Checks a URL, and returns it without its fragment. The errors do not repeat the URL, because it may contain a secret. */
export function checkedUrl(text: string): string {
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\s]+)([^?#\s]*)(?:\?([^#\s]*))?(?:#.*)?$/i.exec(String(text).trim());
  if (!parts) throw new TypeError(`url has to be a WebSocket URL such as ${EXAMPLE}`);
  const [, scheme = '', host = '', path = '', query = ''] = parts;
  if (!/^wss?$/i.test(scheme)) throw new TypeError(`url has to begin with ws: or wss:, such as ${EXAMPLE}`);
  if (host.includes('@')) throw new TypeError('url must not contain a user name or password; use getToken instead');
  for (const parameter of query.split('&')) {
    const name = decoded(parameter.split('=')[0]!);
    const why = Object.hasOwn(TAKEN, name) ? TAKEN[name] : undefined;
    if (why !== undefined) throw new TypeError(`url must not contain \`${name}\`, ${why}`);
  }
  // Only form decoding reads a plus as a space. A literal plus is `%2B`.
  return `${scheme}://${host}${path || '/'}${query === '' ? '' : `?${query.replaceAll('+', '%20')}`}`;
}

/** The URL of a connection. It receives nothing until it has subscribed, and takes several events in one frame. */
export function target({ url, tenant, groupId }: { url: string; tenant: string; groupId: string | undefined }): string {
  const parameters = { tenant, subscribe: 'none', batch: 'true', ...(groupId === undefined ? {} : { group_id: groupId }) };
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
