import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's directory. This file runs as `build/test/harness/paths.js` in it. */
export const PACKAGE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const REPOSITORY = path.resolve(PACKAGE, '../..');
export const SEEDS = path.join(REPOSITORY, 'tests/clients/seeds');
