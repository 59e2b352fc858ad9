import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createServer } from 'vite';
import { PACKAGE } from './paths.js';

const ROOT = path.join(PACKAGE, 'build/pages');

/** A Vite server as started by `npm run dev`. React runs in its development build, with StrictMode's double effects. */
export interface Pages {
  url: string;
  close(): Promise<void>;
}

/** Writes a page unchanged and returns its path. */
export function writeHtml(name: string, html: string): string {
  const directory = path.join(ROOT, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'index.html'), html);
  return `/${name}/`;
}

/** Writes a page with the script `source` and returns its path. */
export function writePage(name: string, source: string): string {
  const icon = '<link rel="icon" href="data:,">';
  const body = '<div id="root"></div>\n<script type="module" src="./main.tsx"></script>';
  const url = writeHtml(name, `<!DOCTYPE html>\n<title>${name}</title>\n${icon}\n${body}\n`);
  writeFileSync(path.join(ROOT, name, 'main.tsx'), source);
  return url;
}

/** Writes a page whose worker has this source, and which shows the worker's messages. Returns its path. */
export function writeWorker(name: string, source: string): string {
  const main = "new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }).onmessage = ({ data }) => document.body.append(data, ' ');\n";
  const url = writePage(name, main);
  writeFileSync(path.join(ROOT, name, 'worker.ts'), source);
  return url;
}

export async function servePages(): Promise<Pages> {
  writePage('probe', `import '/@fs${PACKAGE}/test/pages/probe.ts';\n`);
  const server = await createServer({
    configFile: false,
    root: ROOT,
    cacheDir: path.join(PACKAGE, 'build/vite'),
    logLevel: 'warn',
    server: { host: '127.0.0.1', port: 0, hmr: false, fs: { allow: [PACKAGE] } },
    resolve: {
      alias: [
        { find: /^@entity-stream\/client$/, replacement: path.join(PACKAGE, 'dist/index.js') },
        { find: /^@entity-stream\/client\/react$/, replacement: path.join(PACKAGE, 'dist/react.js') },
      ],
    },
    // Lists all dependencies in advance, because a later discovery makes the server reload the page.
    optimizeDeps: { include: ['react', 'react-dom/client', 'react/jsx-runtime', 'react/jsx-dev-runtime'], entries: [] },
  });
  await server.listen();
  const address = server.httpServer?.address();
  if (!address || typeof address === 'string') throw new Error('Vite has to listen on a port');
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() };
}
