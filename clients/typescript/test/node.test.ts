import { node } from './harness/environment.js';
import { scenarios } from './scenarios.js';

scenarios(node);
