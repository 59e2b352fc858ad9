/** The number that an attribute has, normalized or as a bare value; `undefined` if it has none. Of several instances the first counts. */
export function numberOf(attribute) {
  const one = Array.isArray(attribute) ? attribute[0] : attribute;
  const value = typeof one === 'object' && one !== null ? one.value : one;
  return Number.isFinite(value) ? value : undefined;
}
