import { createHmac } from 'node:crypto';

/** The signing secret of these tests. */
export const SECRET = 'the secret of the TypeScript tests, and of nothing else';

/** Signs a user's token for a tenant that expires after `seconds`, with `more` claims. */
export function mint(tenant: string, seconds: number, secret = SECRET, more: object = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: 'test', role: 'user', tenant, iat: now, exp: now + seconds, jti: String(Math.random()), ...more };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
