const UNITS = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
const digits = (number, width) => String(number).padStart(width, '0');

/** A time, in milliseconds, in one unit. */
export function span(milliseconds) {
  if (Number.isNaN(milliseconds)) return '–';
  if (milliseconds < 0) return `−${span(-milliseconds)}`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return seconds(milliseconds);
}

/** A time, in milliseconds, in one unit of at least a second. */
export function seconds(milliseconds) {
  if (Number.isNaN(milliseconds)) return '–';
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  const [size, unit] = UNITS.find(([size]) => whole >= size) ?? [1, 's'];
  return `${Math.floor(whole / size)} ${unit}`;
}

/** The time since a moment, in one unit. */
export const age = (since) => `${seconds(Date.now() - Date.parse(since))} ago`;

/** The time of day with milliseconds. */
export function clock(date) {
  if (Number.isNaN(date.getTime())) return '–';
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => digits(part, 2)).join(':');
  return `${time}.${digits(date.getMilliseconds(), 3)}`;
}
