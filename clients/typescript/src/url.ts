import type { Filter } from './messages.js';
import type { Settings } from './options.js';

/** API Gateway's limit for a URL. */
const URL_LENGTH = 4096;

/** Where to connect to, and whether the whole filter is part of that. */
export interface Target {
  url: string;
  /** Whether all that arrives matches the filter, from the first moment. */
  filtered: boolean;
}

/**
 * The URL of a connection that begins with this filter, as far as a URL can say it: there, types are separated by
 * commas, and may contain commas.
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
  // A plus is a space in forms only, and not to everybody who reads a URL. One that is meant is `%2B` here.
  url.search = url.search.replaceAll('+', '%20');
  return url;
}

/**
 * The part of a filter with which a connection can begin before the server has seen it: a URL with a bad filter is
 * refused, and a browser is not told why. Types can be checked here, a pattern only there.
 */
export function knownToBeValid(filter: Filter): Filter {
  const types = filter.entityTypes ?? [];
  const valid = types.length <= 50 && types.every((type) => type !== '' && [...type].length <= 256);
  return valid ? { entityTypes: types } : {};
}
