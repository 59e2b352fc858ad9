// Keeps a copy of all entities of the tenant `demo`. For each line of its input it prints one line: the entities, by id.
// `clients/conformance/mirrors` runs it beside the programs of the other clients.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { EntityStream } from '@entity-stream/client';
import { WebSocket } from 'ws';

const setting = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing`);
  return value;
};

const stream = new EntityStream({
  url: setting('MIRROR_URL'),
  tenant: 'demo',
  getToken: () => readFileSync(setting('MIRROR_TOKEN_FILE'), 'utf8').trim(),
  rotateAfterMs: Number(setting('MIRROR_ROTATE_MS')),
  drainMs: 1000,
  pingIntervalMs: 5000,
  pongTimeoutMs: 3000,
  backoffMaxMs: 2000,
  WebSocket,
});
stream.on('state', ({ state, error }) => console.error(state, error?.code ?? ''));
const entities = stream.entities();

for await (const _line of createInterface({ input: process.stdin })) {
  const held = [...entities.values()].map(({ id, type, data }) => [id, { type, data }]);
  console.log(JSON.stringify({ complete: entities.isComplete, entities: Object.fromEntries(held) }));
}
await stream.close();
