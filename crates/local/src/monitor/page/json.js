// JSON as it was written. `JSON.parse` turns 1.0 into 1 and rounds a long integer; the page shows the text itself.
// Nothing recurses: an event may be nested as deeply as its publisher likes.

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g;
const LONGEST = 50_000;
const DEEPEST_INDENT = 40;

/** The members of the object that a text is, as pairs of name and value, the values as they are written. */
export function members(text) {
  const found = [];
  let depth = 0;
  let name = null;
  let from = -1;
  let end = 0;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (depth === 1 && name !== null && (token === ',' || token === '}')) {
      found.push([name, text.slice(from, end)]);
      name = null;
      from = -1;
    } else if (depth === 1 && name === null && token.startsWith('"')) {
      name = JSON.parse(token);
    } else if (depth === 1 && from === -1 && token !== ':' && name !== null) {
      from = index;
    }
    if (token === '{' || token === '[') {
      if (depth === 0 && token === '[') return [];
      depth += 1;
    } else if (token === '}' || token === ']') {
      depth -= 1;
      if (depth === 0) break;
    }
    end = index + token.length;
  }
  return found;
}

/** The elements of the array that a text is, as they are written. */
export function elements(text) {
  const found = [];
  let depth = 0;
  let from = -1;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (depth === 1 && from === -1 && token !== ',' && token !== ']') from = index;
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    // The first token of an element is its last one, unless it opens an object or an array.
    if (depth === 1 && from !== -1) {
      found.push(text.slice(from, index + token.length));
      from = -1;
    }
    if (depth === 0) break;
  }
  return found;
}

/** One member's value as it is written, or undefined. The last counts if there are several, as for JSON.parse. */
export const member = (text, name) => members(text).findLast(([other]) => other === name)?.[1];

/** The JSON text without space between its tokens. */
export const compact = (text) => (/\s/.test(text) ? text.match(TOKEN).join('') : text);

/** The JSON text with line breaks, indentation and colours. `marked` names members of the outermost object. */
export function pretty(text, marked = new Set()) {
  const fragment = document.createDocumentFragment();
  if (text.length > LONGEST) {
    fragment.append(`${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters`);
    return fragment;
  }
  let plain = '';
  let depth = 0;
  const span = (kind, content) => {
    fragment.append(plain);
    plain = '';
    const node = document.createElement(kind === 'changed' ? 'mark' : 'span');
    node.className = kind;
    node.textContent = content;
    fragment.append(node);
  };
  const tokens = [...text.matchAll(TOKEN)].map(([token]) => token);
  const newLine = () => { plain += `\n${'  '.repeat(Math.min(depth, DEEPEST_INDENT))}`; };
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    if (token === '{' || token === '[') {
      plain += token;
      depth += 1;
      if (next !== '}' && next !== ']') newLine();
    } else if (token === '}' || token === ']') {
      depth -= 1;
      const before = tokens[index - 1];
      if (before !== '{' && before !== '[') newLine();
      plain += token;
    } else if (token === ',') {
      plain += token;
      newLine();
    } else if (token === ':') {
      plain += ': ';
    } else if (token.startsWith('"') && next === ':') {
      span(depth === 1 && marked.has(JSON.parse(token)) ? 'changed' : 'key', token);
    } else if (token.startsWith('"')) {
      span('string', token);
    } else {
      span('number', token);
    }
  });
  fragment.append(plain);
  return fragment;
}
