import { element } from './dom.js';

/** The characters at the end of a name that always stay. */
const TAIL = 12;

/** A long text, shortened in the middle: the ends of URIs tell them apart. */
export function middle(text, length) {
  if (text.length <= length) return text;
  const end = Math.ceil((length - 1) * 0.6);
  return `${text.slice(0, length - 1 - end)}…${text.slice(-end)}`;
}

/** The name of an attribute or a type. For a URI it is the last part. */
export function localName(text) {
  const isUri = /^(https?:\/\/|urn:)/.test(text);
  return isUri ? /[^/#:]+$/.exec(text)?.[0] ?? text : text;
}

/** An id that the layout shortens in the middle. */
export function idNode(id) {
  const cut = Math.max(0, id.length - TAIL);
  return element('span', { class: 'id', title: id },
    cut > 0 ? element('span', { class: 'id-head' }, id.slice(0, cut)) : null,
    element('span', { class: 'id-tail' }, id.slice(cut)));
}
