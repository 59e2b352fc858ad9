import type { Frame } from './messages.js';

/** An entity as the client last knew it. It does not change: each change makes another object. */
export interface Entity<Data = Record<string, unknown>> {
  readonly id: string;
  /** An array for an entity with several types. */
  readonly type: string | readonly string[];
  readonly tenant: string;
  readonly servicePath: string;
  /** The attributes, in the view of the collection. */
  readonly data: Data;
  /** The greatest version that the client has seen. `undefined` if the service keeps no state of it. */
  readonly version: number | undefined;
  /** The time of the last change, as published. */
  readonly timestamp: string;
  /** True if there may be more attributes: the service does not know the whole entity, or could not send it. */
  readonly partial: boolean;
}

/** The identity of an entity. */
export function entityKey(tenant: string, servicePath: string, id: string): string {
  return JSON.stringify([id, servicePath, tenant]);
}

/** The version of a message about an entity. */
export function versionOf({ version }: Frame): number | undefined {
  return typeof version === 'number' ? version : undefined;
}

/** True if a message has the whole entity. With `merges`, only a creation has: events have the attributes that were published. */
export function isWhole(message: Frame, merges: boolean): boolean {
  return !isLeftOut(message) && ((versionOf(message) !== undefined && !merges) || message['type'] === 'entityCreated');
}

function isLeftOut({ truncated, data }: Frame): boolean {
  return truncated === true || data === undefined;
}

/** The entity after a message about it, which is no end of it. */
export function entityAfter(before: Entity | undefined, message: Frame, merges: boolean): Entity {
  const version = versionOf(message);
  const data = message['data'] as Record<string, unknown>;
  const hasNothing = isLeftOut(message);
  // Unless it has the whole entity, the message has only a part of it, or nothing.
  const [now, isPartial]: [Record<string, unknown>, boolean] =
    isWhole(message, merges) ? [data, false]
    : before && !hasNothing ? [merged(before.data, data, message['changedAttributes']), before.partial]
    : before ? [before.data, true]
    : [hasNothing ? {} : data, true];
  return Object.freeze({
    id: String(message['entityId']),
    type: message['entityType'] as string | string[],
    tenant: String(message['tenant']),
    servicePath: String(message['servicePath']),
    data: now,
    version: version ?? before?.version,
    timestamp: String(message['timestamp']),
    partial: isPartial || message['partial'] === true,
  });
}

/** The data after a change that names some attributes. One that has changed and has no value any more was removed. */
function merged(before: Record<string, unknown>, data: Record<string, unknown>, changed: unknown): Record<string, unknown> {
  const isEmpty = Object.keys(data).length === 0;
  const removed = Array.isArray(changed) && !isEmpty ? changed.filter((name) => !Object.hasOwn(data, String(name))) : [];
  return Object.fromEntries([...Object.entries(before).filter(([name]) => !removed.includes(name)), ...Object.entries(data)]);
}

/** True if two values of JSON, or of another reader of it, are equal. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const [names, others] = [Object.keys(a), Object.keys(b)];
  const [left, right] = [a as Frame, b as Frame];
  return names.length === others.length && names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]));
}
