import { compact, elements, member, members } from './json.js';

/** The frame of each message, and its place in the frame. A frame may have several messages. */
const frames = new WeakMap();
/** The message of each `data`. */
const owners = new WeakMap();
/** The data and the attribute of each value that the client may merge with values of other messages. */
const sources = new WeakMap();
/** The texts of the attributes of each `data` that was asked for. */
const texts = new WeakMap();
/** The texts without space of those attributes of each `data` that were compared, by name. */
const compacts = new WeakMap();

/** Parses a frame for the client, and keeps its text: `JSON.parse` changes numbers such as 1.0. */
export function parse(text) {
  const value = JSON.parse(text);
  const messages = Array.isArray(value?.events) ? value.events : [value];
  const frame = { text, isBatch: Array.isArray(value?.events), count: messages.length, parts: null };
  messages.forEach((message, place) => {
    if (typeof message !== 'object' || message === null) return;
    frames.set(message, { frame, place });
    if (typeof message.data !== 'object' || message.data === null) return;
    owners.set(message.data, message);
    // The client merges attributes only if the system keeps no entity state. Then messages have no version.
    if (message.version === undefined) keepSources(message);
  });
  return value;
}

/** Keeps the origin of each value. A number becomes an object, because an equal number may have another text. */
function keepSources(message) {
  const { data } = message;
  for (const name of Object.keys(data)) {
    if (typeof data[name] === 'number') data[name] = new Number(data[name]);
    if (typeof data[name] === 'object' && data[name] !== null) sources.set(data[name], { data, name });
  }
}

/** The text of a message as it arrived. */
export function textOf(message) {
  const found = frames.get(message);
  if (!found) return JSON.stringify(message);
  const { frame, place } = found;
  frame.parts ??= frame.isBatch ? elements(member(frame.text, 'events')) : [frame.text];
  return frame.parts[place];
}

/** About how many characters a message has. */
export function sizeOf(message) {
  const found = frames.get(message);
  return found ? found.frame.text.length / found.frame.count : 0;
}

/** The text of each attribute as it arrived, by name. The attributes may come from several messages. */
export function attributeTexts(data) {
  let found = texts.get(data);
  if (!found) {
    found = new Map(owners.has(data) ? members(dataText(data)) : Object.entries(data).map(([name, value]) => [name, valueText(value)]));
    texts.set(data, found);
  }
  return found;
}

/** True if an attribute's texts in two `data` differ at most in space: two long numbers may be the same number of JavaScript. */
export function isSameAttribute(name, data, other) {
  const text = attributeTexts(data).get(name);
  const otherText = attributeTexts(other).get(name);
  if (text === otherText) return true;
  return text !== undefined && otherText !== undefined && compactText(name, data) === compactText(name, other);
}

/** An attribute's text without space. It is kept, because the panel compares all states of an entity at each update. */
function compactText(name, data) {
  let found = compacts.get(data);
  if (!found) compacts.set(data, found = new Map());
  if (!found.has(name)) found.set(name, compact(attributeTexts(data).get(name)));
  return found.get(name);
}

function valueText(value) {
  const source = sources.get(value);
  return source ? attributeTexts(source.data).get(source.name) : JSON.stringify(value);
}

/** The text of an entity's attributes as they arrived. */
export function dataText(data) {
  const message = owners.get(data);
  if (message) return member(textOf(message), 'data') ?? JSON.stringify(data);
  return `{${[...attributeTexts(data)].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

/** Fields as JSON text, with `data` as it arrived. */
export const withData = (fields, data) => `${JSON.stringify(fields).slice(0, -1)},"data":${dataText(data)}}`;
