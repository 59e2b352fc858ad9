/** The element with this id, which the page has. */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. Text is always text: nothing on this page parses HTML, and the page's policy forbids it.
 * Attributes that are false, null or undefined are left out.
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets a text only if it differs, so that a live region does not repeat itself. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows a message in a paragraph, or hides the paragraph. An error that appears scrolls into view. */
export function setMessage(node, text) {
  const appears = Boolean(text) && node.hidden;
  setText(node, text ?? '');
  node.hidden = !text;
  if (appears && node.getAttribute('role') === 'alert') node.scrollIntoView({ block: 'nearest' });
}

const grouping = new Intl.NumberFormat('en');

/** 12345 as 12,345. */
export const grouped = (number) => grouping.format(number);

/** A rate with as many digits as are of interest. */
export const rateText = (rate) => grouped(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate));
