import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { Chromium, complaintsOf, launchFor } from './harness/chromium.js';
import { Local, PATIENCE_MS, until } from './harness/local.js';
import { writePage } from './harness/pages.js';
import { PACKAGE, SEEDS } from './harness/paths.js';
import { SECRET, mint } from './harness/tokens.js';
import type { Props } from './pages/react.js';

const chromium = await Chromium.start();
after(() => chromium.end());
writePage('react', `import '/@fs${PACKAGE}/test/pages/react.tsx';\n`);

const room = (number: number) => ({ entityType: 'Room', entityId: `urn:ngsi-ld:Room:${number}` });

/** A component in a page, in StrictMode. */
class Component {
  private renders = 0;
  private props: Omit<Props, 'render'>;

  private constructor(
    readonly page: Page,
    local: Local,
    readonly complaints: string[],
  ) {
    this.props = { url: local.url, tenant: 'demo', entityTypes: ['Room'] };
  }

  static async open(local: Local): Promise<Component> {
    const page = await chromium.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints = complaintsOf(page);
    await page.goto(`${chromium.pages.url}/react/`);
    await page.waitForFunction('window.show');
    return new Component(page, local, complaints);
  }

  /** Renders with the given changes of the properties. Returns the number of the render. */
  async render(changed: Partial<Props> = {}): Promise<number> {
    this.props = { ...this.props, ...changed };
    const props = { ...this.props, render: (this.renders += 1) };
    await this.page.evaluate((props) => window.show(props), props);
    return this.renders;
  }

  async until(id: string, text: string): Promise<void> {
    await this.page.waitForFunction(([id, text]) => document.getElementById(id!)?.textContent === text, [id, text]);
  }

  async untilShown(...entityIds: string[]): Promise<void> {
    const shown = entityIds.join();
    await this.page.waitForFunction((shown) => [...document.querySelectorAll('#events li')].map((item) => item.textContent).join() === shown, shown);
  }

  /** The number of sockets that were opened, and the number of those that are not closed. */
  sockets(): Promise<{ all: number; alive: number }> {
    return this.page.evaluate(() => ({
      all: window.sockets.length,
      alive: window.sockets.filter(({ readyState }) => readyState <= WebSocket.OPEN).length,
    }));
  }
}

const check = (what: string, body: (local: Local) => Promise<void>, variables: Record<string, string> = {}) =>
  test(`React: ${what}`, { timeout: 120_000 }, async (context) => {
    const local = await Local.start([], variables);
    context.after(() => local.kill());
    await body(local);
  });

check('StrictMode leaves one connection after any number of renders, and none after unmounting', async (local) => {
  const component = await Component.open(local);
  await component.render();
  await component.until('ready', 'true');
  assert.deepEqual(await component.sockets(), { all: 1, alive: 1 });
  for (let again = 0; again < 20; again += 1) await component.render();
  await local.publish('demo', [room(1)]);
  await component.untilShown('urn:ngsi-ld:Room:1');
  const last = await component.render();
  await local.publish('demo', [{ entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:1' }, room(2)]);
  await component.untilShown('urn:ngsi-ld:Room:2', 'urn:ngsi-ld:Room:1');
  // Each event arrives once, at the function of the latest render.
  const heard = await component.page.evaluate(() => window.heard.map(({ render }) => render));
  assert.deepEqual(heard, [last - 1, last]);
  assert.deepEqual(await component.sockets(), { all: 1, alive: 1 });
  assert.equal(await local.connections(), 1);

  await component.page.getByText('Clear').click();
  await component.untilShown();
  await component.page.evaluate(() => window.hide());
  await until('the connection to be forgotten', async () => (await local.connections()) === 0);
  assert.deepEqual(await component.sockets(), { all: 1, alive: 0 });

  await component.render();
  await component.until('ready', 'true');
  assert.deepEqual(await component.sockets(), { all: 2, alive: 1 });
  assert.deepEqual(component.complaints, []);
});

check('a new filter uses the same connection, a new tenant opens another', async (local) => {
  const component = await Component.open(local);
  await component.render();
  await component.until('ready', 'true');
  await component.render({ idPattern: '(' });
  await component.until('error', 'RequestError invalid_id_pattern');
  await component.render({ entityTypes: ['Printer'], idPattern: '^urn:' });
  await component.until('error', 'none');
  await component.until('ready', 'true');
  await local.publish('demo', [room(2), { entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:2' }]);
  await component.untilShown('urn:ngsi-ld:Printer:2');
  assert.deepEqual(await component.sockets(), { all: 1, alive: 1 });

  // The events of the previous tenant are dropped.
  await component.render({ tenant: 'other' });
  await component.untilShown();
  await component.until('ready', 'true');
  await until('the first connection to be forgotten', async () => (await local.connections()) === 1);
  assert.deepEqual(await component.sockets(), { all: 2, alive: 1 });
  await local.publish('other', [{ entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:3' }]);
  await component.untilShown('urn:ngsi-ld:Printer:3');
  await component.render({ enabled: false });
  await component.until('state', 'idle');
  await until('the connection to be forgotten', async () => (await local.connections()) === 0);
  assert.deepEqual(component.complaints, []);
});

check('thirty hooks open one connection, and those with equal filters share a subscription', async (local) => {
  const component = await Component.open(local);
  await local.publish('demo', [1, 2].map((t) => ({ ...room(t), data: { t } })));
  const shown = (text: string) =>
    component.page.waitForFunction(
      (text) => {
        const all = [...document.querySelectorAll('.entities')];
        return all.length === 15 && all.every(({ textContent }) => textContent === text);
      },
      text,
    );
  await component.render({ more: Array.from({ length: 15 }, () => 'Room') });
  await component.until('ready', 'true');
  await shown('complete: urn:ngsi-ld:Room:2=2,urn:ngsi-ld:Room:1=1');
  await local.publish('demo', [{ ...room(1), data: { t: 5 } }, { ...room(3), data: { t: 3 } }, { ...room(2), data: { t: 0 } }]);
  await shown('complete: urn:ngsi-ld:Room:1=5,urn:ngsi-ld:Room:3=3');
  await local.publish('demo', [{ ...room(1), type: 'entityDeleted' }]);
  await shown('complete: urn:ngsi-ld:Room:3=3');
  assert.deepEqual(await component.sockets(), { all: 1, alive: 1 });
  const messages = (await component.page.evaluate(() => window.messages)).map((text) => JSON.parse(text) as { action: string; subscriptions?: unknown[] });
  const subscribed = messages.flatMap(({ subscriptions }) => subscriptions ?? []);
  assert.equal(subscribed.length, 2, JSON.stringify(messages));
  assert.deepEqual(component.complaints, []);
});

check('more filters than a connection takes are an error of the components that are too many', async (local) => {
  const component = await Component.open(local);
  await component.render({ more: Array.from({ length: 10 }, (_, place) => `Type${place}`) });
  // One, and ten with two subscriptions each: five are too many.
  await component.page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('.further, .entities')].map(({ textContent }) => textContent ?? '');
    return shown.filter((text) => text === 'limit_exceeded').length === 5 && !shown.some((text) => text.startsWith('incomplete'));
  });
  await component.until('ready', 'true');
  // All filters change at once, and there is a place for each.
  await component.render({ more: Array.from({ length: 7 }, (_, place) => `Other${place}`) });
  await component.page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('.further, .entities')].map(({ textContent }) => textContent ?? '');
    return shown.filter((text) => text === 'in order').length === 7 && shown.filter((text) => text === 'complete: ').length === 7;
  });
  assert.deepEqual(await component.sockets(), { all: 1, alive: 1 });
});

check("a program's own stream stays when the components are gone", async (local) => {
  const component = await Component.open(local);
  await component.render({ own: true });
  await component.until('ready', 'true');
  await component.page.evaluate(() => window.own!.subscribe({ entityTypes: ['Other'] }).ready);
  await component.page.evaluate(() => window.hide());
  await component.render({ own: true, enabled: false });
  await component.until('state', 'connected');
  assert.deepEqual(await component.sockets(), { all: 1, alive: 1 });
  await component.page.evaluate(() => window.own!.close());
  await component.render({ own: true, enabled: true, more: ['Room'] });
  await component.until('error', 'ClosedError closed');
  await component.page.waitForFunction(() => document.querySelector('.entities')?.textContent === 'closed');
  assert.deepEqual(component.complaints, []);
});

check('the events of one moment are in the order of their arrival', async (local) => {
  const component = await Component.open(local);
  await component.render();
  await component.until('ready', 'true');
  await component.page.evaluate(() => {
    const { subscriptions } = JSON.parse(window.messages[0]!) as { subscriptions: { subscription: string }[] };
    for (const id of ['a', 'b', 'c']) {
      const event = { type: 'entityUpdated', id, entityId: id, entityType: 'Room', subscriptions: subscriptions.map(({ subscription }) => subscription) };
      window.sockets[0]!.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(event) }));
    }
  });
  await component.untilShown('c', 'b', 'a');
});

check(
  'a new tenant is asked for with its own token, and only with it',
  async (local) => {
    const component = await Component.open(local);
    await component.render({ token: mint('demo', 600) });
    await component.until('ready', 'true');
    await component.render({ tenant: 'other', token: mint('other', 600) });
    await component.page.waitForFunction(() => window.sockets.length === 2);
    await component.until('ready', 'true');
    const tenants = await component.page.evaluate(() => window.sockets.map(({ url }) => new URL(url).searchParams.get('tenant')));
    assert.deepEqual(tenants, ['demo', 'other']);
    assert.deepEqual(component.complaints, []);
  },
  { AUTH_ENABLED: 'true', JWT_SECRET: SECRET },
);

check(
  'a refused token is reported, and a valid one accepted',
  async (local) => {
    const component = await Component.open(local);
    await component.render({ token: mint('other', 600) });
    await component.until('state', 'failed');
    await component.until('error', 'AuthenticationError refused');
    await component.render({ token: mint('demo', 600) });
    await component.page.getByText('Retry').click();
    await component.until('ready', 'true');
    await component.until('error', 'none');
  },
  { AUTH_ENABLED: 'true', JWT_SECRET: SECRET },
);

// The states of a thousand new entities are a load for a debug build, and this is not about them.
check(
  'a burst of a thousand events leaves the list at its limit, and all of them reach `onEvent`',
  async (local) => {
    const component = await Component.open(local);
    await component.render({ limit: 5 });
    await component.until('ready', 'true');
    const batches = Array.from({ length: 100 }, (_, batch) => Array.from({ length: 10 }, (_, number) => room(batch * 10 + number)));
    await Promise.all(batches.map((batch) => local.publish('demo', batch)));
    await component.page.waitForFunction('window.heard.length === 1000');
    await component.page.waitForFunction('document.querySelectorAll("#events li").length === 5');
    assert.deepEqual(component.complaints, []);
  },
  { ENTITY_STATE: 'false' },
);

/** A page with the seeds' hook exactly as published, odd characters included. `use` is the code that mounts it. */
async function seedPage(local: Local, name: string, use: string): Promise<Page> {
  const hook = readFileSync(path.join(SEEDS, 'react-hook.tsx'), 'utf8');
  const mount = "import { createRoot } from 'react-dom/client';\nconst root = createRoot(document.getElementById('root')!);\n";
  const browser = await launchFor(local);
  after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${chromium.pages.url}${writePage(name, `${hook}\n${mount}${use}`)}`);
  return page;
}

check("the seeds' hook, pasted unchanged, receives every event", async (local) => {
  const use = `
    const rooms = ['Room'];
    const seen: string[] = [];
    (window as any).seen = seen;
    const remember = (event: EntityEvent) => void seen.push(event.entityId);
    function Page() {
      const { isConnected } = useVelaWebSocket({ wsUrl: 'ws://localhost:3000', tenant: 'demo', entityTypes: rooms, onEvent: remember });
      return <p>{isConnected ? 'connected' : 'not connected'}</p>;
    }
    (window as any).leave = () => root.unmount();
    root.render(<Page />);`;
  const page = await seedPage(local, 'seed-hook', use);
  const complaints = complaintsOf(page);
  await page.getByText('connected', { exact: true }).waitFor();
  await local.interest('demo', 'Room');
  await local.publish('demo', [{ entityType: 'Printer', entityId: 'urn:ngsi-ld:Printer:1' }, ...[1, 2, 3, 4, 5].map(room)]);
  await page.waitForFunction('window.seen.length === 5');
  assert.deepEqual(new Set(await page.evaluate('window.seen') as string[]), new Set([1, 2, 3, 4, 5].map((number) => room(number).entityId)));
  assert.equal(await local.connections(), 1);
  await page.evaluate('window.leave()');
  await until('the connection to be forgotten', async () => (await local.connections()) === 0);
  assert.deepEqual(complaints, []);
});

check("the seeds' example of the hook connects with every render, and leaves no connection behind", async (local) => {
  // The example passes a new array and a new function with each render. The hook depends on both and so hardly ever listens.
  // A server cannot prevent this. It has to survive it, and docs/clients.md describes the fault.
  const page = await seedPage(local, 'seed-example', '(window as any).leave = () => root.unmount();\nroot.render(<RoomMonitor />);');
  for (let socket = 0; socket < 6; socket += 1) await page.waitForEvent('websocket');
  assert.match(await page.locator('h1').innerText(), /^Room Monitor/);
  await page.evaluate('window.leave()');
  await until('the connections to be forgotten', async () => (await local.connections()) === 0);
});
