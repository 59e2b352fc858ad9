import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { NODE_22, PACKAGE } from './harness/paths.js';

// `just tools` is for Linux.
const skip = process.platform !== 'linux';

test('a client resumes in Node.js 22, whose WebSocket needs no flag', { timeout: 240_000, skip }, async () => {
  assert(existsSync(NODE_22), `${NODE_22} is missing: run \`just tools\` first`);
  // A child of a test would report in another form.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
  const pattern = '/^Node.js: a client (that was cut off|survives a restart)/';
  const flags = ['--test', '--test-force-exit', '--test-reporter=tap', `--test-name-pattern=${pattern}`];
  const { stdout } = await promisify(execFile)(NODE_22, [...flags, 'build/test/node.test.js'], { cwd: PACKAGE, env });
  assert.match(stdout, /^# pass 2$/m);
});
