import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { build, preview } from 'vite';
import { complaintsOf, launch } from './harness/chromium.js';
import { PATIENCE_MS } from './harness/local.js';
import { PACKAGE } from './harness/paths.js';

const folder = mkdtempSync(path.join(tmpdir(), 'entity-stream-package-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const npm = (directory: string, ...args: string[]) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline'], { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
// `npm test` has built the package.
const [tarball] = JSON.parse(npm(PACKAGE, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder)) as [{ filename: string; files: { path: string }[] }];

test('the tarball has the licences and the pages that its README names', () => {
  const files = new Set(tarball.files.map(({ path }) => path));
  const readme = readFileSync(path.join(PACKAGE, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target!);
  assert(links.length > 0);
  for (const file of ['dist/index.js', 'dist/index.d.ts', 'dist/react.js', 'LICENSE-APACHE', 'LICENSE-MIT', ...links]) {
    // The repository has the pages in `docs` at its top, the package in its own `docs`.
    assert(files.has(file.replace(/^(\.\.\/)+/, '')), file);
  }
});

const MAIN = `
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { useEntityStream } from '@entity-stream/client/react';
const App = () => createElement('h1', null, useEntityStream({ url: 'ws://127.0.0.1:9', tenant: 'demo', enabled: false }).status.state);
createRoot(document.getElementById('root')).render(createElement(App));
`;

// The folder contains React for its own tests. An application must not get this second copy.
for (const [how, args] of [
  ['the tarball', [path.join(folder, tarball.filename)]],
  ['the folder', ['--install-links', PACKAGE]],
] as const) {
  test(`an application of Vite and React works with ${how}`, { timeout: 240_000 }, async () => {
    const root = path.join(folder, how.replace(' ', '-'));
    mkdirSync(root);
    writeFileSync(path.join(root, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
    writeFileSync(path.join(root, 'index.html'), '<!DOCTYPE html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/main.js"></script>');
    writeFileSync(path.join(root, 'main.js'), MAIN);
    npm(root, 'install', '--ignore-scripts', 'react@19', 'react-dom@19', ...args);
    const plain = { root, configFile: false, logLevel: 'warn' } as const;
    await build(plain);
    const server = await preview({ ...plain, preview: { host: '127.0.0.1', port: 0 } });
    const browser = await launch();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const complaints = complaintsOf(page);
      await page.goto(server.resolvedUrls!.local[0]!);
      await page.waitForSelector('h1').catch(() => assert.fail(complaints.join('\n')));
      assert.equal(await page.textContent('h1'), 'idle');
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
      await server.close();
    }
  });
}
