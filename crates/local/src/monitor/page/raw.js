import { elements, member } from './json.js';

/** The frame of each message, and its place in the frame. A frame may have several messages. */
const frames = new WeakMap();
/** The message of each `data`. */
const owners = new WeakMap();

/** Parses a frame for the client, and keeps its text: `JSON.parse` changes numbers such as 1.0. */
export function parse(text) {
  const value = JSON.parse(text);
  const messages = Array.isArray(value?.events) ? value.events : [value];
  const frame = { text, isBatch: Array.isArray(value?.events), count: messages.length, parts: null };
  messages.forEach((message, place) => {
    if (typeof message !== 'object' || message === null) return;
    frames.set(message, { frame, place });
    if (typeof message.data === 'object' && message.data !== null) owners.set(message.data, message);
  });
  return value;
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

/** The text of an entity's attributes as they arrived, or as JSON if they come from several messages. */
export function dataText(data) {
  const message = owners.get(data);
  return (message && member(textOf(message), 'data')) ?? JSON.stringify(data);
}
