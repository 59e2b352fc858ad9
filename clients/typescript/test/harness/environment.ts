import { WebSocket } from 'ws';
import { type Probe, type ProbeOptions, Recorder } from './probe.js';

/** Where a client can run. */
export interface Environment {
  name: string;
  /** Whether a WebSocket tells the status of a refused handshake. */
  tellsStatus: boolean;
  /** A stream there. `nextToken` is its `getToken`, if the options ask for one. */
  open(options: ProbeOptions, nextToken?: () => string | Promise<string>): Promise<Probe>;
  end(): Promise<void>;
}

const noToken = () => Promise.reject(new Error('this test has no tokens'));

/** This process, with the WebSocket of the npm package `ws`. */
export const node: Environment = {
  name: 'Node.js',
  tellsStatus: true,
  open: (options, nextToken = noToken) => Promise.resolve(new Recorder(options, WebSocket, async () => nextToken())),
  end: () => Promise.resolve(),
};
