import type { Environment } from '../harness/environment.js';
import { connecting } from './connecting.js';
import { scenariosOn } from './platform.js';
import { replacing } from './replacing.js';
import { resuming } from './resuming.js';
import { tokens } from './tokens.js';

/** The required behaviour of a client on every platform. */
export function scenarios(environment: Environment): void {
  const on = scenariosOn(environment);
  connecting(on);
  tokens(on);
  resuming(on);
  replacing(on);
}
