import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chromium, type RemoteProbe } from './harness/chromium.js';
import { Local } from './harness/local.js';
import { writeWorker } from './harness/pages.js';
import { scenarios } from './scenarios/all.js';

const chromium = await Chromium.start();

scenarios(chromium);

test('Chromium: the client reconnects at once when the network is back', { timeout: 60_000 }, async (context) => {
  const local = await Local.start();
  context.after(() => local.kill());
  // Without the event, the next attempt is hours away, except for a chance of one in thousands.
  const backoff = { backoffMinMs: 36_000_000, backoffMaxMs: 36_000_000 };
  const probe = (await chromium.open({ url: local.url, tenant: 'demo', ...backoff })) as RemoteProbe;
  await probe.subscribe();
  await local.stop();
  await probe.untilState('waiting');
  await local.run();
  await probe.page.context().setOffline(true);
  await probe.page.context().setOffline(false);
  assert((await probe.untilState('connected', 2)).missed);
  await probe.close();
});

test('Chromium: the client works in a worker', { timeout: 60_000 }, async (context) => {
  const local = await Local.start();
  const url = writeWorker(
    'worker',
    `import { EntityStream } from '@entity-stream/client';
     const stream = new EntityStream({ url: '${local.url}', tenant: 'demo' });
     const rooms = stream.entities({ entityTypes: ['Room'] });
     rooms.onChange(({ kind, after }) => postMessage(kind + ' ' + after?.id));
     rooms.ready.then(() => postMessage('ready'), (error) => postMessage(String(error)));`,
  );
  const page = await chromium.newPage(`${chromium.pages.url}${url}`);
  context.after(async () => {
    await page.close();
    await local.kill();
  });
  await page.waitForFunction("document.body.innerText.includes('ready')");
  await local.publish('demo', [{ entityType: 'Room', entityId: 'urn:1' }]);
  await page.waitForFunction("document.body.innerText.includes('added urn:1')");
});
