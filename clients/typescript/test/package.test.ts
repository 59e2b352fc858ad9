import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { build, preview } from 'vite';
import { complaintsOf, launchFor } from './harness/chromium.js';
import { Local, PATIENCE_MS, until } from './harness/local.js';
import { NODE_22, PACKAGE } from './harness/paths.js';

const folder = mkdtempSync(path.join(tmpdir(), 'entity-stream-package-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const npm = (directory: string, ...args: string[]) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline'], { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
// `npm test` has built the package.
const [tarball] = JSON.parse(npm(PACKAGE, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder)) as [{ filename: string; files: { path: string }[] }];

test('the tarball has the licences, and every link of its pages leads to a file in it', () => {
  const files = new Set(tarball.files.map(({ path }) => path));
  for (const file of ['dist/index.js', 'dist/index.d.ts', 'dist/react.js', 'LICENSE-APACHE', 'LICENSE-MIT', 'docs/clients.md']) assert(files.has(file), file);
  const pages = [...files].filter((file) => file.endsWith('.md'));
  assert(pages.length >= 4);
  for (const page of pages) {
    const text = readFileSync(path.join(PACKAGE, page), 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target]) => target!);
    // The README is the same in the repository and in the package, where the pages have other places.
    if (page !== 'README.md') assert(links.length > 0, page);
    for (const link of links) assert(files.has(path.posix.join(path.posix.dirname(page), link)), `${page}: ${link}`);
  }
});

const MAIN = `
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
import { EntityStreamProvider, useConnectionState, useEntities } from '@entity-stream/client/react';
const Rooms = () => h('h2', null, useEntities({ entityTypes: ['Room'] }).entities.map(({ id }) => id).join());
const State = () => h('h1', null, useConnectionState().state);
const App = () => h(EntityStreamProvider, { url: 'ws://localhost:3000', tenant: 'demo' }, h(State), h(Rooms));
createRoot(document.getElementById('root')).render(h(App));
`;

const PROGRAM = (options: string, imports = '') => `
import { EntityStream } from '@entity-stream/client';
${imports}
const stream = new EntityStream({ url: process.argv[2], tenant: 'demo'${options} });
const rooms = stream.entities({ entityTypes: ['Room'] });
await rooms.ready;
console.log([...rooms.keys()].join());
await stream.close();
`;

/** A program for the types: it compiles with the strictest options, and without `skipLibCheck`. */
const TYPED = `
import { EntityStream, type EntityEvent } from '@entity-stream/client';
import { useEntities, type EntitiesView } from '@entity-stream/client/react';
interface Room { temperature: number }
const stream = new EntityStream({ url: 'ws://localhost:3000', tenant: 'demo' });
const rooms = stream.subscribe<Room>({ entityTypes: ['Room'] });
export const temperatures = async () => {
  for await (const { data } of rooms) return data?.temperature.toFixed(1);
  return undefined;
};
export const type: EntityEvent<Room>['type'] = 'entityLeft';
export const use = (): EntitiesView<Room> => useEntities<Room>({ q: 'temperature>25' }, { sort: (a, b) => a.data.temperature - b.data.temperature });
// @ts-expect-error -- a collection needs every change
stream.entities({ watchedAttributes: ['temperature'] });
`;

const TYPED_FOR_NODE = `
import { EntityStream, generateDpopKey } from '@entity-stream/client';
const keyPair = await generateDpopKey();
const stream = new EntityStream({ url: 'ws://localhost:3000', tenant: 'demo', dpop: { keyPair } });
await using rooms = stream.subscribe<{ temperature: number }>({ entityTypes: ['Room'] }, { signal: AbortSignal.timeout(5) });
for await (const { data } of rooms) console.log(data?.temperature);
`;

function application(how: string, files: Record<string, string>, ...packages: string[]): string {
  const root = path.join(folder, how.replaceAll(' ', '-'));
  mkdirSync(root);
  const all = { 'package.json': JSON.stringify({ name: 'app', private: true, type: 'module' }), ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(path.join(root, name), text);
  npm(root, 'install', '--ignore-scripts', ...packages);
  return root;
}

const room = { entityType: 'Room', entityId: 'urn:ngsi-ld:Room:1' };

// The folder contains React for its own tests. An application must not get this second copy.
for (const [how, args] of [
  ['the tarball', [path.join(folder, tarball.filename)]],
  ['the folder', ['--install-links', PACKAGE]],
] as const) {
  test(`an application of Vite and React works with ${how}, built for production`, { timeout: 240_000 }, async (context) => {
    const html = '<!DOCTYPE html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/main.js"></script>';
    const root = application(how, { 'index.html': html, 'main.js': MAIN }, 'react@19', 'react-dom@19', ...args);
    // Vite warns that a bundle does not keep `'use client'`, which is for other frameworks.
    const plain = { root, configFile: false, logLevel: 'error' } as const;
    await build(plain);
    const server = await preview({ ...plain, preview: { host: '127.0.0.1', port: 0 } });
    const local = await Local.start();
    const browser = await launchFor(local);
    context.after(async () => {
      await browser.close();
      await server.close();
      await local.kill();
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints = complaintsOf(page);
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.waitForFunction("document.querySelector('h1')?.textContent === 'connected'").catch(() => assert.fail(complaints.join('\n')));
    await until('the room on the page', async () => {
      await local.publish('demo', [room]);
      return (await page.textContent('h2')) === room.entityId;
    });
    assert.deepEqual(complaints, []);
  });
}

test('a program of Node.js works with the tarball, and in Node.js 22 without a further package', { timeout: 240_000 }, async (context) => {
  const files = { 'main.js': PROGRAM(', WebSocket', "import { WebSocket } from 'ws';"), 'alone.js': PROGRAM('') };
  const root = application('Node.js', files, 'ws@8', path.join(folder, tarball.filename));
  const local = await Local.start();
  context.after(() => local.kill());
  await local.publish('demo', [room]);
  const run = promisify(execFile);
  const isShown = async (node: string, file: string) => (await run(node, [file, local.url], { cwd: root })).stdout.trim() === room.entityId;
  await until('the room', () => isShown(process.execPath, 'main.js'));
  // `just tools` is for Linux.
  if (process.platform !== 'linux') return;
  for (const file of ['main.js', 'alone.js']) assert(await isShown(NODE_22, file), file);
});

for (const [platform, lib, types, source, packages] of [
  ['a browser', ['es2022', 'dom'], [], TYPED, ['@types/react@19', 'react@19']],
  ['Node.js', ['es2022'], ['node'], TYPED_FOR_NODE, ['@types/node@22']],
] as const) {
  test(`the types of the tarball are whole for ${platform}`, { timeout: 240_000 }, () => {
    const options = { strict: true, target: 'es2022', module: 'nodenext', lib, types, exactOptionalPropertyTypes: true, noEmit: true };
    const files = { 'main.ts': source, 'tsconfig.json': JSON.stringify({ compilerOptions: options, files: ['main.ts'] }) };
    const root = application(`types for ${platform}`, files, ...packages, path.join(folder, tarball.filename));
    execFileSync(path.join(PACKAGE, 'node_modules/.bin/tsc'), ['--project', root], { stdio: 'inherit' });
  });
}

test('the hooks are for the client side of a framework', () => {
  assert(readFileSync(path.join(PACKAGE, 'dist/react.js'), 'utf8').startsWith("'use client'"));
  assert(!readFileSync(path.join(PACKAGE, 'dist/index.js'), 'utf8').includes("'use client'"));
});
