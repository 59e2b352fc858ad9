import assert from 'node:assert/strict';
import { nodeAlone, nodeWithWs } from './harness/environment.js';
import { scenarios } from './scenarios.js';

assert(globalThis.WebSocket, 'Node.js 20 has a WebSocket with --experimental-websocket, which `npm test` gives it');

scenarios(nodeAlone);
scenarios(nodeWithWs);
