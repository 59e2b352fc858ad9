// Bundles the client into one module without dependencies, for the monitor page of the local system. `cargo run` needs no
// Node.js, so the result is committed. With --check, it compares the committed file with what it would write.
//
//     node scripts/bundle.mjs [--check] FILE
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const HEAD = '// The TypeScript client, bundled by `just page`. Do not edit: change `clients/typescript/src`.';

const isCheck = process.argv[2] === '--check';
const file = process.argv.at(-1);

const cwd = fileURLToPath(new URL('..', import.meta.url));
const bundle = await rolldown({ cwd, input: 'src/index.ts', platform: 'browser', logLevel: 'warn' });
const { output } = await bundle.generate({ format: 'esm', comments: false });
const text = `${HEAD}\n${output[0].code.replace(/^\/\/#(end)?region.*\n/gm, '')}`;

if (!isCheck) {
  writeFileSync(file, text);
} else if (readFileSync(file, 'utf8') !== text) {
  console.error(`${file} is not the current client: run \`just page\` and commit the result.`);
  process.exitCode = 1;
}
