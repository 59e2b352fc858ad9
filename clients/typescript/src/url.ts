import type { Filter } from './messages.js';
import type { Settings } from './options.js';

/** API Gateway's limit for a URL. */
const URL_LENGTH = 4096;

/** The URL of a connection. */
export interface Target {
  url: string;
  /** True if the URL contains the whole filter, so that it is in force from the first moment. */
  filtered: boolean;
}

/**
 * Returns the URL of a connection that begins with this filter. The URL contains the filter only if it fits and no type
 * contains a comma, because commas separate the types in a URL.
 */
export function target({ url, tenant, groupId }: Settings, filter: Filter): Target {
  const types = filter.entityTypes ?? [];
  const least = withQuery(url, { tenant, group_id: groupId });
  const whole = withQuery(least, { entityTypes: types.join(','), idPattern: filter.idPattern });
  const filtered = whole.href.length <= URL_LENGTH && !types.some((type) => type.includes(','));
  return { url: (filtered ? whole : least).href, filtered };
}

function withQuery(base: URL, parameters: Record<string, string | undefined>): URL {
  const url = new URL(base);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) url.searchParams.set(name, value);
  }
  // Only form decoding reads a plus as a space. A literal plus is `%2B` here.
  url.search = url.search.replaceAll('+', '%20');
  return url;
}

/**
 * Returns the part of a filter that is certainly valid. The server refuses a URL with an invalid filter, and a browser does
 * not tell the reason. The client can check types; only the server can check a pattern.
 */
export function knownToBeValid(filter: Filter): Filter {
  const types = filter.entityTypes ?? [];
  const text = [...new Set(types), filter.idPattern ?? ''].join('');
  const valid =
    types.length <= 49 &&
    types.every((type) => type !== '' && [...type].length <= 256) &&
    new TextEncoder().encode(text).length <= 1024;
  return valid ? { entityTypes: types } : {};
}
