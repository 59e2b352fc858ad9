import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { REPOSITORY } from './harness/paths.js';
import { type Scenario, play } from './harness/scripted.js';

const folder = path.join(REPOSITORY, 'clients/scenarios');
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const scenario = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Scenario;
  test(`scripted server: ${scenario.name}`, { timeout: 60_000 }, () => play(scenario));
}
