import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's directory. This file runs as `build/test/harness/paths.js` in it. */
export const PACKAGE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const REPOSITORY = path.resolve(PACKAGE, '../..');
export const SEEDS = path.join(REPOSITORY, 'tests/clients/seeds');
/** Node.js 22, which `just tools` installs on Linux. */
export const NODE_22 = path.join(REPOSITORY, `tests/clients/node_modules/node-linux-${process.arch}/bin/node`);
