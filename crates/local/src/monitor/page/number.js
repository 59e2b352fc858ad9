/** The number that an attribute has, normalized or as a bare value; `undefined` if it has none. Of several instances the first counts. */
export function numberOf(attribute) {
  const one = Array.isArray(attribute) ? attribute[0] : attribute;
  const isBare = typeof one !== 'object' || one === null || one instanceof Number;
  const value = isBare ? one?.valueOf() : one.value;
  return Number.isFinite(value) ? value : undefined;
}
