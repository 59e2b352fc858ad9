import { WebSocket } from 'ws';
import type { WebSocketConstructor } from '@entity-stream/client';
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

/** This process. */
function node(name: string, Socket: WebSocketConstructor, tellsStatus: boolean): Environment {
  return {
    name,
    tellsStatus,
    open: (options, nextToken = noToken) => Promise.resolve(new Recorder(options, Socket, async () => nextToken())),
    end: () => Promise.resolve(),
  };
}

/** Node.js with the npm package `ws`. */
export const nodeWithWs = node('Node.js with ws', WebSocket, true);

/** Node.js with its own WebSocket, which version 20 hides behind `--experimental-websocket`. */
export const nodeAlone = node('Node.js', globalThis.WebSocket as WebSocketConstructor, false);
