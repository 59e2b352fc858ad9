import { AuthenticationError, ConnectionError } from './errors.js';

/** The end of a WebSocket, as reported by the platform. */
export interface End {
  opened: boolean;
  code: number;
  reason: string;
  /** The message of the preceding `error` event. The npm package `ws` puts the status there; browsers leave it empty. */
  message: string;
  hasToken: boolean;
}

const ADVICE = 'the token is invalid, or it is for another tenant';
const NO_TOKEN = 'a token is required; pass getToken';

/** Returns the error for an ended connection. */
export function endOf({ opened, code, reason, message, hasToken }: End): AuthenticationError | ConnectionError {
  const why = reason === '' ? '' : `: ${reason}`;
  const advice = hasToken ? ADVICE : NO_TOKEN;
  if (code === 1008) return new AuthenticationError('refused', `refused with close code 1008${why} (${advice})`);
  if (opened) {
    return new ConnectionError('connection_lost', `the connection ended with close code ${code}${why}`, { closeCode: code });
  }
  const status = Number(/server response: (\d{3})\b/.exec(message)?.[1] ?? 0) || undefined;
  if (status === 401 || status === 403) {
    const stage = status === 403 ? ', or the URL does not end with an existing stage' : '';
    return new AuthenticationError('refused', `refused with status ${status} (${advice}${stage})`, { status });
  }
  const passing = status === undefined || status === 429 || status >= 500;
  const text =
    status !== undefined ? `the handshake was answered with status ${status}`
    : message !== '' ? `cannot connect: ${message}`
    : 'cannot connect: the server cannot be reached or refuses the handshake; this platform does not tell which';
  return new ConnectionError(passing ? 'connect_failed' : 'handshake_refused', text, { closeCode: code, status });
}

/** A platform's message without the queries of URLs, which may be a secret. */
export function withoutQueries(message: string): string {
  return message.replace(/(\b[a-z]+:\/\/[^\s?'"]*)\?[^\s'"]*/gi, '$1');
}
