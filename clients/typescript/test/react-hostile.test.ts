import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { Chromium, complaintsOf } from './harness/chromium.js';
import { Local, PATIENCE_MS, until } from './harness/local.js';
import { writePage } from './harness/pages.js';

const chromium = await Chromium.start();
after(() => chromium.end());

/** A page whose components are in StrictMode. `show` renders them. */
const HEAD = `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { EntityStreamProvider, useConnectionState, useEntities, useEntityStream } from '@entity-stream/client/react';
const w = window as any;
w.log = [];
w.sockets = [];
const Plain = WebSocket;
w.WebSocket = class extends Plain {
  constructor(...parameters: [any, any]) {
    super(...parameters);
    w.sockets.push(this);
  }
};
const root = createRoot(document.getElementById('root')!);
w.hide = () => root.render(null);
const show = (children: any) =>
  root.render(<StrictMode><EntityStreamProvider url={w.url} tenant="demo">{children}</EntityStreamProvider></StrictMode>);
`;

const check = (name: string, what: string, source: string, body: (page: Page, local: Local, complaints: string[]) => Promise<void>) =>
  test(`React: ${what}`, { timeout: 60_000 }, async (context) => {
    const local = await Local.start();
    context.after(() => local.kill());
    const page = await chromium.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints = complaintsOf(page);
    await page.addInitScript(`window.url = ${JSON.stringify(local.url)}`);
    await page.goto(`${chromium.pages.url}${writePage(`hostile-${name}`, HEAD + source)}`);
    await page.waitForFunction('window.show !== undefined');
    await body(page, local, complaints);
    await page.close();
  });

const untilText = (page: Page, text: string) => page.waitForFunction((text) => document.getElementById('one')?.textContent === text, text);

check('load', 'a load that is written inline can fail late, come later and go', `
  function One({ mode }: { mode: string }) {
    const load = mode === 'none' ? undefined : async (signal: AbortSignal) => {
      w.log.push(mode);
      signal.addEventListener('abort', () => w.log.push('abort'));
      await new Promise((resolve) => (w.answer = resolve));
      if (mode === 'fails') throw new Error('late');
      return [{ id: mode, type: 'Room' }];
    };
    const { entities, isComplete, error } = useEntities({ entityTypes: ['Room'] }, { load });
    return <p id="one">{[entities.map(({ id }) => id).join(), isComplete, error?.code].join(' ')}</p>;
  }
  w.show = (mode: string) => show(<One mode={mode} />);`,
async (page, local, complaints) => {
  const untilLog = async (...expected: string[]) => {
    await page.waitForFunction((count) => (window as unknown as { log: string[] }).log.length >= count, expected.length);
    assert.deepEqual(await page.evaluate('window.log.splice(0)'), expected);
  };
  await page.evaluate("show('fails')");
  await untilLog('fails');
  await page.evaluate('hide()');
  await untilLog('abort');
  await page.evaluate('answer()');
  await page.evaluate("show('fails')");
  await untilLog('fails');
  await page.evaluate('answer()');
  await untilText(page, ' false load_failed');
  // The next attempt calls the function of the latest render.
  await page.evaluate("show('urn:1')");
  await page.waitForFunction('(answer(), log.includes("urn:1"))');
  await page.evaluate('answer()');
  await untilText(page, 'urn:1 true ');
  // Without a load, the service fills the collection.
  await page.evaluate("show('none')");
  await untilText(page, ' true ');
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:2' }]);
  await untilText(page, 'urn:2 true ');
  // The former collection stays for a moment.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await page.evaluate('log.splice(0)');
  await page.evaluate("show('urn:3')");
  await untilLog('urn:3');
  await page.evaluate('answer()');
  await untilText(page, 'urn:3 true ');
  assert.deepEqual(await page.evaluate('sockets.map((socket) => socket.readyState)'), [3, 1]);
  assert.deepEqual(complaints, []);
});

check('stable', 'an effect that depends on the entities runs when they change, also with an inline order', `
  import { useEffect, useState } from 'react';
  w.runs = 0;
  function One() {
    const [, again] = useState({});
    const { entities } = useEntities({ entityTypes: ['Room'] }, { sort: (a, b) => (a.id < b.id ? 1 : -1), filter: () => true, limit: 2 });
    useEffect(() => {
      w.runs += 1;
      again({});
    }, [entities]);
    return <p id="one">{entities.map(({ id }) => id).join()}</p>;
  }
  w.show = () => show(<One />);`,
async (page, local, complaints) => {
  await page.evaluate('show()');
  await local.publish('demo', [1, 2, 3].map((number) => ({ entityType: 'Room', entityId: `urn:${number}` })));
  await untilText(page, 'urn:3,urn:2');
  // Each change of the entities is a run or less, and StrictMode doubles the first one.
  assert((await page.evaluate('runs') as number) <= 6);
  assert.deepEqual(complaints, []);
});

check('quick', 'components that come and go at once leave one connection, and none in the end', `
  function One({ enabled }: { enabled: boolean }) {
    const onEvent = () => {
      w.log.push('event');
      throw new Error('of the program');
    };
    const { isReady, error } = useEntityStream({ entityTypes: ['Room'] }, { enabled, onEvent });
    const { isComplete } = useEntities({ entityTypes: ['Room'] }, { enabled });
    return <p id="one">{[isReady, isComplete, error?.code, useConnectionState().state].join(' ')}</p>;
  }
  w.show = (enabled?: boolean) => show(enabled === undefined ? null : <One enabled={enabled} />);`,
async (page, local, complaints) => {
  for (let turn = 0; turn < 40; turn += 1) {
    await page.evaluate(`show(${['true', 'false', ''][turn % 3]})`);
    if (turn % 7 === 0) await page.evaluate('hide()');
    if (turn % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
  }
  await page.evaluate('show(true)');
  await untilText(page, 'true true  connected');
  await until('one connection', async () => (await local.connections()) === 1);
  await local.publish('demo', [1, 2].map((number) => ({ entityType: 'Room', entityId: `urn:${number}` })));
  await page.waitForFunction('window.log.length === 2');
  await page.evaluate('(hide(), show(true), hide())');
  await until('the connection to be forgotten', async () => (await local.connections()) === 0);
  assert.deepEqual(complaints, ['Error: of the program', 'Error: of the program']);
});

check('equal', 'components with the same refused filter do not ask for it again and again', `
  w.renders = 0;
  function One({ type }: { type: string }) {
    w.renders += 1;
    const errors = [useEntityStream({ entityTypes: [type] }).error, useEntities({ entityTypes: [type] }).error];
    return <p className="one">{errors.map((error) => error?.code ?? 'none').join()}</p>;
  }
  const some = (count: number, type: (place: number) => string) => [...Array(count).keys()].map((place) => <One key={type(place) + place} type={type(place)} />);
  w.show = (more: number) => show([...some(8, (place) => 'Type' + place), ...some(more, () => 'Other')]);`,
async (page, _, complaints) => {
  for (const more of [1, 2, 3, 5, 2]) {
    await page.evaluate(`show(${more})`);
    await page.waitForFunction((more) => [...document.querySelectorAll('.one')].filter(({ textContent }) => textContent === 'limit_exceeded,limit_exceeded').length === more, more);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const renders = await page.evaluate('renders');
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await page.evaluate('renders'), renders);
  }
  assert.deepEqual(complaints, []);
});
