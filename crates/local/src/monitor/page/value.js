import { elements, member, members } from './json.js';
import { middle } from './names.js';
import { suffix } from './units.js';

/** The longest URI that is shown in full. */
const URI_LENGTH = 48;

const isUri = (text) => /^(https?:\/\/|urn:)\S+$/.test(text);

/** A JSON text on one line. A string has neither quotes nor escapes: Python publishes each `室` as `\u5ba4`. */
function plain(raw) {
  const text = (raw.startsWith('"') ? JSON.parse(raw) : raw).replace(/\s+/g, ' ');
  return isUri(text) ? middle(text, URI_LENGTH) : text;
}

/** The member of a text that may be an object. */
const within = (raw, name) => (raw?.startsWith('{') ? member(raw, name) : undefined);

/** The unit of a normalized attribute: NGSI-LD's `unitCode`, or NGSIv2's metadata of this name. */
function unit(attribute) {
  const code = attribute.get('unitCode') ?? within(within(attribute.get('metadata'), 'unitCode'), 'value');
  return code?.startsWith('"') ? suffix(JSON.parse(code)) : '';
}

/** Texts of a list, joined; a single text is a list of one. */
const list = (raw, one = plain) => (raw.startsWith('[') ? elements(raw).map(one).join(', ') : one(raw));

/** A geometry: the coordinates of a point, and the kind of any other with its coordinates. */
function geometry(raw) {
  const coordinates = within(raw, 'coordinates');
  if (coordinates === undefined) return undefined;
  const kind = within(raw, 'type');
  return kind === undefined || kind === '"Point"' ? plain(coordinates) : `${plain(kind)} ${plain(coordinates)}`;
}

/** The instances of an attribute that has several (multi-attributes of NGSI-LD), each with its `datasetId`. */
function instances(raw) {
  const all = elements(raw);
  const areInstances = all.length > 0 && all.every((one) => /^\{/.test(one) && isAttribute(new Map(members(one))));
  if (!areInstances) return undefined;
  return all.map((one) => {
    const dataset = member(one, 'datasetId');
    return dataset?.startsWith('"') ? `${readable(one)} (${middle(JSON.parse(dataset).replace(/^urn:ngsi-ld:(dataset:)?/i, ''), 24)})` : readable(one);
  }).join(' · ');
}

/** True if an object is a normalized attribute of NGSI-LD or NGSIv2. */
const isAttribute = (attribute) => attribute.has('type') && ['value', 'object', 'languageMap', 'vocab', 'json', 'valueList', 'objectList'].some((name) => attribute.has(name));

/**
 * An attribute's value on one line. Of a normalized attribute of NGSI-LD or NGSIv2 it is the value with its unit, the ids of
 * the related entities, or the names in all languages; of a geometry it is the coordinates. Other data is shown as it is.
 */
export function readable(raw) {
  if (raw.startsWith('[')) return instances(raw) ?? plain(raw);
  if (!raw.startsWith('{')) return plain(raw);
  const attribute = new Map(members(raw));
  const value = attribute.get('value');
  if (value !== undefined) return (geometry(value) ?? plain(value)) + unit(attribute);
  const type = attribute.get('type');
  const object = attribute.get('object');
  if (object !== undefined && type === '"Relationship"') return list(object);
  const objects = attribute.get('objectList');
  if (objects !== undefined) return list(objects, (one) => plain(within(one, 'object') ?? one));
  const values = attribute.get('valueList');
  if (values !== undefined) return list(values, (one) => plain(within(one, 'value') ?? one));
  const languages = attribute.get('languageMap');
  if (languages?.startsWith('{')) return members(languages).map(([, name]) => list(name)).join(' / ');
  const other = attribute.get('vocab') ?? attribute.get('json');
  if (other !== undefined && type !== undefined) return list(other);
  return geometry(raw) ?? plain(raw);
}
