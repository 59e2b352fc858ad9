/** A refusal, with the server's message. */
export class Refused extends Error {}

/** Sends a request to a path under /_local/. Returns the text of the answer. */
async function askText(method, path, body) {
  const request = { method, cache: 'no-store' };
  if (body !== undefined) {
    request.body = body;
    request.headers = { 'Content-Type': 'application/json' };
  }
  const response = await fetch(`/_local/${path}`, request);
  const text = await response.text();
  if (!response.ok) throw new Refused(JSON.parse(text).message ?? `the answer was ${response.status}`);
  return text;
}

const ask = async (method, path, body) => JSON.parse(await askText(method, path, body));

export const status = () => ask('GET', 'status');
export const connections = () => ask('GET', 'connections');
/** Publishes a detail, which is JSON text: it is sent as it is written. */
export const publish = (detail) => ask('POST', 'events', detail);
export const startSimulation = (wanted) => ask('PUT', 'simulation', JSON.stringify(wanted));
/** The dead letters without values of entities. */
export const letters = () => ask('GET', 'dead-letters/summary');
/** One dead letter as text: its numbers stay as they are written. */
export const letter = (id) => askText('GET', `dead-letters/${id}`);
export const replayLetter = (id) => ask('POST', `dead-letters/${id}/replay`);
export const deleteLetter = (id) => ask('DELETE', `dead-letters/${id}`);
export const deleteLetters = () => ask('DELETE', 'dead-letters');
export const stopSimulation = () => ask('DELETE', 'simulation');

/** The message about a request that failed. */
export const reason = (error) => (error instanceof Refused ? error.message : 'The local system cannot be reached.');

/** Repeats a call, one at a time, while the page is visible. Returns a function that calls at once. */
export function poll(milliseconds, call) {
  let timer;
  let running = false;
  const run = async () => {
    if (running) return;
    running = true;
    clearTimeout(timer);
    try {
      if (!document.hidden) await call();
    } finally {
      running = false;
      timer = setTimeout(run, milliseconds);
    }
  };
  document.addEventListener('visibilitychange', () => { if (!document.hidden) run(); });
  run();
  return run;
}
