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

/** True if a version is the same as the known one, or an older one. */
export function isOlder(version: number | undefined, known: number | undefined): boolean {
  return version !== undefined && known !== undefined && version <= known;
}

/** The greater version, if one is known. */
export function greatest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one;
}

/** True if two values of JSON, or of another reader of it, are equal. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const [names, others] = [Object.keys(a), Object.keys(b)];
  const [left, right] = [a as Frame, b as Frame];
  return names.length === others.length && names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]));
}
