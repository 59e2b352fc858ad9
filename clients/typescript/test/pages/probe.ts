import type { WebSocketConstructor } from '@entity-stream/client';
import { type ProbeOptions, Recorder } from '../harness/probe.js';

declare global {
  interface Window {
    nextToken(): Promise<string>;
    openProbe(options: ProbeOptions): void;
    probe: Recorder;
  }
}

window.openProbe = (options) => {
  window.probe = new Recorder(options, WebSocket as WebSocketConstructor, () => window.nextToken());
};
