import type { EntityStreamOptions } from './options.js';

/** The numbers of the keys for DPoP, which have no value to compare. */
const numbers = new WeakMap<object, number>();
let keys = 0;

/** A text that is the same for options of the same connection: the values of options, the presence of functions, and the key for DPoP. */
export function connectionKey(options: EntityStreamOptions): string {
  const plain = Object.entries(options).map(([name, value]) => {
    if (name === 'dpop') return [name, numberOf((value as EntityStreamOptions['dpop'])?.keyPair?.privateKey)];
    return [name, typeof value === 'function' ? true : value];
  });
  return JSON.stringify(plain.filter(([, value]) => value !== undefined).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

function numberOf(key: object | undefined): number | undefined {
  if (typeof key !== 'object' || key === null) return undefined;
  const known = numbers.get(key);
  if (known !== undefined) return known;
  keys += 1;
  numbers.set(key, keys);
  return keys;
}
