import { versionOf } from './entity.js';
import type { Filter, Frame } from './messages.js';

/** The way in which a collection gets its entities. */
export interface Feed {
  /** `load` fills the collection, and not a snapshot of the service. */
  loads: boolean;
  /** Events have only the attributes that were published, also those with a version. */
  merges: boolean;
  /** A replay has each entity as it is now, and not the events as they were published. */
  follows: boolean;
}

/** The feed of a collection that has this filter. */
export function feedOf({ wholeEntity = false, q, geoQ }: Filter, loads: boolean): Feed {
  return { loads, merges: !wholeEntity, follows: wholeEntity || q !== undefined || geoQ !== undefined };
}

/** The part of an entity that a message shows. */
export interface Shown {
  /** `all`: these are the attributes that the service knows, and the source that the collection loads may know others. */
  what: 'nothing' | 'part' | 'all' | 'whole';
  attributes: Record<string, unknown>;
  /** The attributes that the change has removed. */
  removed: readonly string[];
  /** The service says that there are more attributes. */
  isPartial: boolean;
}

/** Reads a message that is no end of its entity. */
export function shownBy(message: Frame, { loads, merges, follows }: Feed): Shown {
  const { truncated, state, changedAttributes } = message;
  const data = message['data'] as Record<string, unknown> | undefined;
  const hasVersion = versionOf(message) !== undefined;
  // A state that is too large has a version and no attributes.
  const isLeftOut = truncated === true || data === undefined || (hasVersion && state === 'unavailable');
  const isPartial = message['partial'] === true;
  if (isLeftOut) return { what: 'nothing', attributes: {}, removed: [], isPartial };
  const isWhole = message['type'] === 'entityCreated' || (hasVersion && !merges);
  const what =
    merges && follows && hasVersion && message['replayed'] === true ? 'all'
    : isWhole && !(loads && isPartial) ? 'whole'
    : 'part';
  // Publishers leave all attributes out if they are too large. One that has changed and has no value any more was removed.
  const isEmpty = Object.keys(data).length === 0;
  const changed = Array.isArray(changedAttributes) && !isEmpty ? changedAttributes.map(String) : [];
  return { what, attributes: data, removed: changed.filter((name) => !Object.hasOwn(data, name)), isPartial };
}

/** True if a message does not tell how the entity is after the change, so that a collection has to be loaded again. */
export function leavesDoubt(message: Frame, { loads, merges, follows }: Feed): boolean {
  if (!loads) return false;
  const isPartial = message['partial'] === true;
  // The service has kept newer values. The message does not tell which, or a deletion may have taken attributes that it does not name.
  if (message['late'] === true && (merges || (isPartial && !Array.isArray(message['changedAttributes'])))) return true;
  const isEnd = message['type'] === 'entityDeleted' || message['type'] === 'entityLeft';
  if (isEnd || !follows || message['replayed'] !== true || versionOf(message) === undefined) return false;
  // It names no attributes that were removed. In a view that is not of the whole entity, it does not tell whether it has all.
  return merges || isPartial || message['truncated'] === true || message['state'] === 'unavailable';
}
