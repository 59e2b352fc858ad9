/** Calls a function of the program. The program sees its error as uncaught, and the error disturbs nothing here. */
export function shielded(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
