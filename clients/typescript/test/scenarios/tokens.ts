import assert from 'node:assert/strict';
import { SECRET, mint } from '../harness/tokens.js';
import { type Scenarios, room } from './platform.js';

const AUTH = { AUTH_ENABLED: 'true', JWT_SECRET: SECRET };

/** Tokens: their refusal, their renewal and their end. */
export function tokens({ environment, check }: Scenarios): void {
  check('a refused token is not sent again', async (use) => {
    const local = await use.local([], AUTH);
    for (const [bad, message] of [[mint('demo', 600, 'another secret, of no server'), /1008/], [mint('other', 600), /1008/]] as const) {
      let asked = 0;
      let token = bad;
      const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true }, () => ((asked += 1), token));
      const refusal = await probe.subscribe();
      assert('code' in refusal && refusal.name === 'AuthenticationError' && refusal.code === 'refused', JSON.stringify(refusal));
      assert.match(refusal.message, message);
      assert.equal((await probe.untilState('failed')).error?.code, 'refused');
      // The client called getToken once more. The token was the same, so it was not sent again.
      assert.equal(asked, 2);
      assert.equal((await probe.sockets()).length, 1);

      token = mint('demo', 600);
      assert.deepEqual(await probe.subscribe(), {}, 'the stream continues with a valid token');
      await probe.close();
      const said = JSON.stringify([await probe.errors(), await probe.states(), await probe.sockets(), local.output]);
      for (const secret of [bad, token]) assert(!said.includes(secret), 'an error, a URL or a log contains a token');
    }
  });

  check('one refused token is tolerated', async (use) => {
    const local = await use.local([], AUTH);
    const tokens = [mint('demo', 600, 'another secret, of no server'), mint('demo', 600)];
    const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true }, () => tokens.shift()!);
    assert.deepEqual(await probe.subscribe(), {});
    assert.equal((await probe.sockets()).length, 2);
    await probe.close();
  });

  check('a handshake that is refused with a status, as API Gateway does', async (use) => {
    const local = await use.local(['--refuse-with', 'status'], AUTH);
    let token = mint('demo', 600, 'another secret, of no server');
    const options = { url: local.url, tenant: 'demo', withToken: true, backoffMaxMs: 500 };
    const probe = await environment.open(options, () => token);
    const subscribed = probe.subscribe();
    if (environment.tellsStatus) {
      const refusal = await subscribed;
      assert('code' in refusal && refusal.code === 'refused' && refusal.status === 401, JSON.stringify(refusal));
      token = mint('other', 600);
      const forbidden = await probe.subscribe();
      assert('code' in forbidden && forbidden.status === 403, JSON.stringify(forbidden));
      token = mint('demo', 600);
      assert.deepEqual(await probe.subscribe(), {});
    } else {
      // A browser gets no reason, so the failure may be the network. The client retries and calls getToken each time.
      assert.equal((await probe.untilState('waiting', 3)).error?.code, 'connect_failed');
      token = mint('demo', 600);
      assert.deepEqual(await subscribed, {});
    }
    await probe.close();
  });

  check('with `first-message`, every platform gets the reason of a refusal', async (use) => {
    const local = await use.local(['--refuse-with', 'status'], { ...AUTH, AUTH_IN_BAND: 'true' });
    let token = mint('demo', 600, 'another secret, of no server');
    const options = { url: local.url, tenant: 'demo', withToken: true, authenticate: 'first-message' } as const;
    const probe = await environment.open(options, () => token);
    const refusal = await probe.subscribe({ entityTypes: ['Room'] });
    assert('code' in refusal && refusal.name === 'AuthenticationError', JSON.stringify(refusal));
    token = mint('demo', 600);
    assert.deepEqual(await probe.subscribe({ entityTypes: ['Room'] }), { entityTypes: ['Room'] });
    const [expected] = await local.publish('demo', [room(1)]);
    await probe.untilEvents(1);
    assert.deepEqual((await probe.events()).map(({ id }) => id), [expected]);
    await probe.close();
  });

  check('a token is renewed before its end on the same connection', async (use) => {
    const local = await use.local([], AUTH);
    let asked = 0;
    let fourth = () => {};
    const enough = new Promise<void>((resolve) => (fourth = resolve));
    const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true, renewBeforeMs: 2000 }, () => {
      asked += 1;
      if (asked === 4) fourth();
      return mint('demo', 4);
    });
    await probe.subscribe();
    const first = Date.now();
    await enough;
    // Each token was fetched half a life after the previous one, so the first token has expired.
    assert(Date.now() - first > 4000);
    const [expected] = await local.publish('demo', [room(1)]);
    await probe.untilEvents(1);
    assert.deepEqual((await probe.events()).map(({ id }) => id), [expected]);
    assert.equal((await probe.sockets()).length, 1);
    assert.deepEqual((await probe.states()).map(({ state }) => state), ['connecting', 'connected']);
    await probe.close();
  });

  check('a token without a renewal ends the connection, and the next connection has a fresh token', async (use) => {
    const local = await use.local([], AUTH);
    // The token is made when it is asked for: a browser needs a while to open a page.
    const lives = [5];
    const probe = await environment.open({ url: local.url, tenant: 'demo', withToken: true, backoffMaxMs: 500 }, () => {
      const life = lives.shift();
      if (life === undefined) throw new Error('the login is out of order');
      return mint('demo', life);
    });
    await probe.subscribe();
    assert.equal((await probe.untilState('waiting')).error?.code, 'token_expired');
    assert.match((await probe.untilError('token_unavailable')).message, /the login is out of order/);
    lives.push(600);
    await probe.untilState('connected', 2);
    assert.deepEqual(await probe.untilVerdicts(1), { replayed: 0 });
    const [expected] = await local.publish('demo', [room(1)]);
    await probe.untilEvents(1);
    assert.equal((await probe.events())[0]!.id, expected);
    await probe.close();
  });
}
