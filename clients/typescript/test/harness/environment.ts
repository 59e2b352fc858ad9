import { WebSocket } from 'ws';
import type { WebSocketConstructor } from '@entity-stream/client';
import { type Probe, type ProbeOptions, Recorder } from './probe.js';

/** A platform on which a client runs. */
export interface Environment {
  name: string;
  /** True if the WebSocket reports the status of a refused handshake. */
  tellsStatus: boolean;
  /** Opens a stream on this platform. `nextToken` is its `getToken`, if the options use tokens. */
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

/** Node.js with its own WebSocket. Version 20 needs `--experimental-websocket` for it. */
export const nodeAlone = node('Node.js', globalThis.WebSocket as WebSocketConstructor, false);
