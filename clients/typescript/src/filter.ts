import type { EntityFilter, Filter, Frame } from './messages.js';
import { refuseUnknown } from './unknown.js';

/** The fields of a filter, with those that `entities` sets or ignores last. */
const FIELDS = [
  'entityTypes', 'entityIds', 'idPattern', 'q', 'geoQ', 'servicePath', 'attributes', 'representation', 'showChanges',
  'notificationTrigger', 'watchedAttributes', 'wholeEntity',
] as const satisfies (keyof Filter)[];
const OF_ENTITIES = FIELDS.slice(0, -3);

/** Copies a filter without the fields that do not restrict, so that later changes of the object have no effect. */
export function checkedFilter(filter: Filter): Filter {
  refuseUnknown('a filter', filter, FIELDS);
  return normal(filter as Frame);
}

/**
 * The filter of a live collection. Throws for a field that selects changes, because a collection needs every change. Unless `isWhole`,
 * events have only the attributes that were published.
 */
export function filterOfEntities(filter: Filter, isWhole = true): Filter {
  refuseUnknown('the filter of entities', filter, OF_ENTITIES);
  return { ...normal(filter as Frame), ...(isWhole ? { wholeEntity: true } : {}) };
}

/** A text that is the same for filters that select the same. Throws for a field that does not exist. */
export function filterKey(filter: Filter): string {
  return JSON.stringify(checkedFilter(filter));
}

/** The same for filters of live collections. */
export function filterKeyOfEntities(filter: EntityFilter): string {
  return JSON.stringify(filterOfEntities(filter));
}

/** Reads the filter in force of a subscription from a `subscribed` answer. */
export function filterInForce(answer: Frame, name: string): Filter {
  const all = Array.isArray(answer['subscriptions']) ? (answer['subscriptions'] as Frame[]) : [answer];
  return normal(all.find((one) => one['subscription'] === name) ?? {});
}

/** The fields of a filter in a fixed order. */
function normal(fields: Frame): Filter {
  const kept = FIELDS.flatMap((name) => {
    const value = fields[name];
    const restricts = value !== undefined && value !== null && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0);
    return restricts ? [[name, structured(value)] as const] : [];
  });
  return Object.fromEntries(kept) as Filter;
}

/** A copy of a JSON value. */
function structured(value: unknown): unknown {
  return typeof value === 'object' ? JSON.parse(JSON.stringify(value)) : value;
}
