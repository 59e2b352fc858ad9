import type { Settings } from './options.js';

/** The URL of a connection. It receives nothing until it has subscribed, and takes several events in one frame. */
export function target({ url, tenant, groupId }: Pick<Settings, 'url' | 'tenant' | 'groupId'>): string {
  const whole = new URL(url);
  const parameters = { tenant, subscribe: 'none', batch: 'true', ...(groupId === undefined ? {} : { group_id: groupId }) };
  for (const [name, value] of Object.entries(parameters)) whole.searchParams.set(name, value);
  // Only form decoding reads a plus as a space. A literal plus is `%2B` here.
  whole.search = whole.search.replaceAll('+', '%20');
  return whole.href;
}
