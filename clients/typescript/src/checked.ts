/** Throws if an option that is there has another type. */
export function checkedType(name: string, value: unknown, type: 'boolean' | 'function' | 'string'): void {
  if (value !== undefined && typeof value !== type) throw new TypeError(`${name} has to be a ${type}; found ${kindOf(value)}`);
}

/** Throws if an option that is there is no number, or a smaller one. */
export function checkedNumber(name: string, value: unknown, least: number): void {
  if (value !== undefined && !(typeof value === 'number' && value >= least)) {
    throw new TypeError(`${name} has to be a number of at least ${least}; found ${typeof value === 'number' ? value : kindOf(value)}`);
  }
}

/** Throws if the option `signal` is there and is no `AbortSignal`. It may be that of another library. */
export function checkedSignal(signal: unknown): void {
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  const isSignal = typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  if (signal !== undefined && !isSignal) throw new TypeError(`signal has to be an AbortSignal; found ${kindOf(signal)}`);
}

/** The kind of a value, which the message of an error does not repeat. */
function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
