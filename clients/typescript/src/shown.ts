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
  what: 'nothing' | 'part' | 'whole';
  attributes: Record<string, unknown>;
  /** The attributes that the change has removed. */
  removed: readonly string[];
  /** The service says that there are more attributes. */
  isPartial: boolean;
}

/** Reads a message that is no end of its entity. */
export function shownBy(message: Frame, { loads, merges }: Feed): Shown {
  const { truncated, state, changedAttributes } = message;
  const data = message['data'] as Record<string, unknown> | undefined;
  const hasVersion = versionOf(message) !== undefined;
  const isPartial = message['partial'] === true;
  // A state that is too large has a version and no attributes.
  const isLeftOut = truncated === true || data === undefined || (hasVersion && state === 'unavailable');
  if (isLeftOut) return { what: 'nothing', attributes: {}, removed: [], isPartial };
  // A load knows the attributes that the service does not know.
  const isWhole = (message['type'] === 'entityCreated' || (hasVersion && !merges)) && !(loads && isPartial);
  // Publishers leave all attributes out if they are too large. One that has changed and has no value any more was removed.
  const isEmpty = Object.keys(data).length === 0;
  const changed = Array.isArray(changedAttributes) && !isEmpty ? changedAttributes.map(String) : [];
  const removed = changed.filter((name) => !Object.hasOwn(data, name));
  return { what: isWhole ? 'whole' : 'part', attributes: data, removed, isPartial };
}

/**
 * True if a message does not tell which attributes have changed, or whether the entity is gone, so that a load has to show it. Newer
 * values stay after a late change. The entity as the service knows it lacks what was removed, and what the service does not know.
 */
export function isUnclear(message: Frame, feed: Feed): boolean {
  const { type, late, replayed } = message;
  if (!feed.loads || type === 'entityLeft') return false;
  if (type === 'entityDeleted') return late === true && feed.merges;
  const isWhole = () => shownBy(message, feed).what === 'whole';
  if (late === true) return feed.merges || !isWhole();
  return replayed === true && feed.follows && versionOf(message) !== undefined && !isWhole();
}
