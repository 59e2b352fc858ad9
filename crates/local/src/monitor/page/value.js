import { member, members } from './json.js';
import { suffix } from './units.js';

/** A JSON text on one line. A string has neither quotes nor escapes: Python publishes each `室` as `\u5ba4`. */
const plain = (raw) => (raw.startsWith('"') ? JSON.parse(raw) : raw).replace(/\s+/g, ' ');

/** The member of a text that may be an object. */
const within = (raw, name) => (raw?.startsWith('{') ? member(raw, name) : undefined);

/** The unit of a normalized attribute: NGSI-LD's `unitCode`, or NGSIv2's metadata of this name. */
function unit(attribute) {
  const code = attribute.get('unitCode') ?? within(within(attribute.get('metadata'), 'unitCode'), 'value');
  return code?.startsWith('"') ? suffix(plain(code)) : '';
}

/**
 * An attribute's value on one line. Of a normalized attribute of NGSI-LD or NGSIv2 it is the value with its unit, the id of
 * the related entity, or the names in all languages; of a geometry it is the coordinates. Other data is shown as it is.
 */
export function readable(raw) {
  if (!raw.startsWith('{')) return plain(raw);
  const attribute = new Map(members(raw));
  const value = attribute.get('value');
  if (value !== undefined) return plain(within(value, 'coordinates') ?? value) + unit(attribute);
  const object = attribute.get('object');
  if (object !== undefined && attribute.get('type') === '"Relationship"') return plain(object);
  const languages = attribute.get('languageMap');
  if (languages?.startsWith('{')) return members(languages).map(([, name]) => plain(name)).join(' / ');
  return plain(attribute.get('coordinates') ?? raw);
}
