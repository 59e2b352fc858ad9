const UNITS = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];

/** The time since a moment, in one unit. */
export function age(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, 's'];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}
