import { after, test } from 'node:test';
import type { Environment } from '../harness/environment.js';
import { Local } from '../harness/local.js';
import type { Probe } from '../harness/probe.js';

/** A platform, and the way to check something on it. Streams and systems that a check opens end with it. */
export interface Scenarios {
  environment: Pick<Environment, 'tellsStatus' | 'open'>;
  check(what: string, body: (use: { local(flags?: string[], variables?: Record<string, string>): Promise<Local> }) => Promise<void>): void;
}

export const room = (number: number) => ({ entityType: 'Room', entityId: `urn:ngsi-ld:Room:${number}` });

export function scenariosOn(surroundings: Environment): Scenarios {
  const opened: Probe[] = [];
  const environment = {
    name: surroundings.name,
    tellsStatus: surroundings.tellsStatus,
    open: async (...how: Parameters<Environment['open']>) => {
      const probe = await surroundings.open(...how);
      opened.push(probe);
      return probe;
    },
  };
  const check: Scenarios['check'] = (what, body) =>
    void test(`${environment.name}: ${what}`, { timeout: 120_000 }, async (context) => {
      const started: Local[] = [];
      context.after(async () => {
        // An open stream of a failed check would reconnect for ever and keep the process alive.
        await Promise.all(opened.splice(0).map((probe) => probe.close()));
        await Promise.all(started.map((local) => local.kill()));
      });
      await body({
        local: async (flags, variables) => {
          const local = await Local.start(flags, variables);
          started.push(local);
          return local;
        },
      });
    });
  after(() => surroundings.end());
  return { environment, check };
}
