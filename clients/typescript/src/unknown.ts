/** Refuses names that do not exist, because a misspelt option would otherwise have no effect, and anything but an object. */
export function refuseUnknown(what: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new TypeError(`${what} takes an object; it has ${known.join(', ')}`);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new TypeError(`${what} has no \`${name}\`${near === undefined ? `; it has ${known.join(', ')}` : `; did you mean \`${near}\`?`}`);
  }
}

/** The known name that is most like this one, if one is near. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[_-]/g, '');
  const most = name.length < 5 ? 1 : 2;
  let best: string | undefined;
  let least = most + 1;
  for (const other of known) {
    const far = distance(plain(name), plain(other));
    if (far < least) [best, least] = [other, far];
  }
  return best;
}

/** The number of characters to insert, remove, replace or swap. */
function distance(a: string, b: string): number {
  let former: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, former[j - 2]! + 1);
      next.push(least);
    }
    [former, row] = [row, next];
  }
  return row[b.length]!;
}
