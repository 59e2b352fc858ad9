import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { settings } from '../src/options.js';
import { Chromium, complaintsOf, launchFor } from './harness/chromium.js';
import { type Example, compile, examplesOf } from './harness/examples.js';
import { Local, until } from './harness/local.js';
import { writeHtml, writePage } from './harness/pages.js';
import { PACKAGE, REPOSITORY } from './harness/paths.js';
import { SECRET, mint } from './harness/tokens.js';

const PAGES = ['docs/clients.md', 'clients/typescript/README.md'];
const TUTORIAL = 'docs/tutorial-live-map.md';
const ROOM = { entityType: 'Room', entityId: 'urn:ngsi-ld:Room:001', data: { temperature: 23.5 }, changedAttributes: ['temperature'] };

const examples = PAGES.flatMap((page) => examplesOf(page, ['ts', 'tsx', 'html']));
const compiled = compile(examples.filter(({ language }) => language !== 'html'));
const chromium = await Chromium.start();
after(() => chromium.end());

/** Runs each example on its platform until it shows a published change. */
for (const example of examples) {
  test(`Documentation: ${example.place} shows a change`, { timeout: 120_000 }, async (context) => {
    const authenticates = /getToken|Authorization/.test(example.source);
    const local = await Local.start([], authenticates ? { AUTH_ENABLED: 'true', JWT_SECRET: SECRET } : {});
    let running: Running | undefined;
    context.after(async () => {
      // The example ends before its server. Otherwise it would reconnect, and Chromium reports connections that fail.
      try {
        await running?.end();
      } finally {
        await local.kill();
      }
    });
    running = await (example.source.includes("from 'ws'") ? runInNode(example, local) : runInChromium(example, local));
    const { shown } = running;
    await local.interest('demo', 'Room');
    // Publishes repeatedly, because the client delivers events only after the acknowledgement, which follows the interest.
    await until(`${example.place} to show the change`, async () => {
      await local.publish('demo', [{ entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:001' }, ROOM]);
      return (await shown()).includes(ROOM.entityId);
    });
    assert(!(await shown()).includes('Printer'));
  });
}

interface Running {
  shown(): Promise<string>;
  end(): Promise<void>;
}

async function runInNode({ name }: Example, local: Local): Promise<Running> {
  const file = path.join(compiled, `${name}.js`);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('ws://localhost:3000', local.url));
  const env = { ...process.env, KEY_NAME: 'example', KEY: local.createKey('example', 'demo') };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  return { shown: () => Promise.resolve(output), end: async () => void child.kill() };
}

async function runInChromium({ name, language, source }: Example, local: Local): Promise<Running> {
  const browser = await launchFor(local);
  const page = await browser.newPage();
  const complaints = complaintsOf(page);
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  await page.route('**/session/token', (route) => {
    const jkt = route.request().postData();
    return route.fulfill({ body: mint('demo', 600, SECRET, jkt === null ? {} : { cnf: { jkt } }) });
  });
  await page.route('**/ngsi-ld/v1/entities**', (route) => route.fulfill({ json: [] }));
  const url = language === 'html' ? writeHtml(name, source.replace('<title>', '<link rel="icon" href="data:,"><title>')) : writePage(name, source);
  await page.goto(`${chromium.pages.url}${url}`);
  return {
    shown: async () => said.join('\n') + (await page.innerText('body')),
    end: async () => {
      await page.screenshot({ path: path.join(PACKAGE, `build/${name}.png`) });
      await browser.close();
      assert.deepEqual(complaints, []);
    },
  };
}

test('Documentation: the live map shows the city, and follows it', { timeout: 120_000 }, async (context) => {
  const [example] = examplesOf(TUTORIAL, ['html']);
  assert(example);
  const local = await Local.start(['--simulate', 'demo', '--simulate-rate', '10']);
  const browser = await launchFor(local);
  context.after(async () => {
    await browser.close();
    await local.kill();
  });
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  const complaints = complaintsOf(page);
  // The pages of these tests have no node_modules of their own.
  const html = example.source.replace(/<script type="importmap">[^]*?<\/script>/, '').replace('<title>', '<link rel="icon" href="data:,"><title>');
  await page.goto(`${chromium.pages.url}${writeHtml('live-map', html)}`);
  const places = () => page.$$eval('.place', (all) => all.map((place) => [place.textContent, (place as SVGElement).style.transform]));
  await until('thirty entities on the map', async () => (await places()).length >= 30);
  const before = new Map(await places() as [string, string][]);
  await until('one of them to move', async () => (await places()).some(([id, where]) => before.has(id!) && before.get(id!) !== where));
  assert.equal(await page.innerText('#state'), 'connected');
  assert((await page.$$('#latest li')).length >= 10);
  const circles = await page.$$eval('circle', (all) => all.map((circle) => circle.getBoundingClientRect().toJSON() as DOMRect));
  const isShown = ({ left, top, right, bottom }: DOMRect) => left >= 0 && top >= 0 && right <= 880 && bottom <= 800;
  assert(circles.filter(isShown).length > circles.length * 0.8, JSON.stringify(circles));
  await page.screenshot({ path: path.join(PACKAGE, 'build/live-map.png') });
  assert.deepEqual(complaints, []);
});

test('Documentation: the page has every option with its default, every state and every code', () => {
  const page = readFileSync(path.join(REPOSITORY, 'docs/clients.md'), 'utf8');
  const source = (file: string) => readFileSync(path.join(PACKAGE, 'src', file), 'utf8');
  class None {
    send(): void {}
    close(): void {}
    addEventListener(): void {}
  }
  const defaults = settings({ url: 'ws://localhost', tenant: 'demo', WebSocket: None }) as Record<string, unknown>;
  const [, declared = ''] = /export interface EntityStreamOptions \{\n([^]*?)\n\}/.exec(source('options.ts')) ?? [];
  const options = [...declared.matchAll(/^ {2}(\w+)\??: .*;$/gm)].map(([, name]) => name!);
  assert(options.includes('drainMs') && options.includes('getToken'));
  for (const option of new Set(options)) {
    const value = defaults[option];
    const row = typeof value === 'number' ? `| \`${option}\` | ${value} |` : option === 'url' || option === 'tenant' ? `\`${option}\`` : `| \`${option}\` | `;
    assert(page.includes(row), `the options' table has no row that begins with ${row}`);
  }
  const codes = [...source('errors.ts').matchAll(/^ {2}\| '(\w+)'/gm), ...source('supervisor.ts').matchAll(/^ {2}\| '(\w+)'/gm)];
  assert(codes.length >= 15);
  for (const [, code] of codes) assert(page.includes(`\`${code}\``), `${code} is not explained`);
});
