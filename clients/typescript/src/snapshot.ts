import { ConnectionError, RequestError } from './errors.js';
import type { Frame } from './messages.js';

/** The time before the client asks again after an empty part or a temporary error. */
const PAUSE_MS = 1000;
/** The most temporary errors in a row. After them the client connects again. */
const FAILURES = 5;
/** The most times that a snapshot begins anew because the server does not know its token. */
const RESTARTS = 3;

/** The requests of a snapshot. */
export interface SnapshotRequests {
  /** Subscribes once more with a snapshot. */
  begin(): Promise<Frame>;
  /** Asks for the part at this place. */
  proceed(next: string): Promise<Frame>;
  pause(ms: number): Promise<void>;
  /** False if the program has closed all that the snapshot is for. */
  isWanted(): boolean;
}

/**
 * Receives the parts of a snapshot until there are none, beginning with the one that `answer` has announced, or anew.
 *
 * Invariant: unless it is not wanted any more, it ends only after an answer without a next part, so the entities since the last beginning are all that match. Each
 * loop makes progress, or counts as a failure or a restart, of which there are only so many.
 */
export async function receiveSnapshot(answer: Frame | undefined, requests: SnapshotRequests): Promise<void> {
  let failures = 0;
  let restarts = 0;
  let part = answer ?? (await requests.begin());
  for (;;) {
    const next = part['snapshotNext'];
    if (typeof next !== 'string' || !requests.isWanted()) return;
    // A server that cannot read the entities sends an empty part.
    if (!part['snapshot']) await requests.pause(PAUSE_MS);
    try {
      part = await requests.proceed(next);
      failures = 0;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.code === 'invalid_snapshot_token' && restarts < RESTARTS) {
        restarts += 1;
        part = await requests.begin();
      } else if ((error.code === 'internal' || error.code === 'conflict') && failures < FAILURES) {
        failures += 1;
        await requests.pause(PAUSE_MS);
      } else throw new ConnectionError('server_error', `the server did not answer the request for a snapshot: ${error.message}`, { cause: error });
    }
  }
}
