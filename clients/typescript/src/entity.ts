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

/** The entity after a message about it, which is no end of it. */
export function entityAfter(before: Entity | undefined, message: Frame): Entity {
  const version = versionOf(message);
  const data = message['data'] as Record<string, unknown> | undefined;
  const isLeftOut = message['truncated'] === true || data === undefined;
  const replaces = !isLeftOut && (version !== undefined || message['type'] === 'entityCreated');
  // Unless it replaces the entity, the message has only a part of it, or nothing.
  const [now, isPartial]: [Record<string, unknown>, boolean] =
    replaces ? [data, false]
    : before && !isLeftOut ? [merged(before.data, data, message['changedAttributes']), before.partial]
    : before ? [before.data, true]
    : [isLeftOut ? {} : data, true];
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
