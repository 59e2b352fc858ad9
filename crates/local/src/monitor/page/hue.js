/** Hues other than those of the kinds of change and of changed attributes. */
const HUES = [262, 178, 316, 22, 84, 200, 290, 150];

/** The same type has the same colour, everywhere. */
export function hue(text) {
  let hash = 0;
  for (let index = 0; index < Math.min(text.length, 64); index += 1) hash = (hash * 31 + text.charCodeAt(index)) % 9973;
  return HUES[hash % HUES.length];
}
