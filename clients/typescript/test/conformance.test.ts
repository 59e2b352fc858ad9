import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { type Scenario, play } from './harness/conformance.js';
import { REPOSITORY } from './harness/paths.js';

const folder = path.join(REPOSITORY, 'clients/conformance/scenarios');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

describe('Conformance', { concurrency: 8 }, () => {
  for (const file of files) {
    const scenario = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Scenario;
    test(`${file}: ${scenario.name}`, { timeout: 120_000 }, () => play(scenario));
  }
});

test('Conformance: there are scenarios', () => assert(files.length > 50));
