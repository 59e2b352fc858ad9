import assert from 'node:assert/strict';
import { type webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { dpopThumbprint, generateDpopKey, prove } from '../src/dpop.js';

type Pair = CryptoKeyPair;
const { subtle } = globalThis.crypto as unknown as { subtle: webcrypto.SubtleCrypto };
const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;

const KEYS: Record<string, [object, object]> = {
  ES256: [{ name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', hash: 'SHA-256' }],
  ES384: [{ name: 'ECDSA', namedCurve: 'P-384' }, { name: 'ECDSA', hash: 'SHA-384' }],
  EdDSA: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
  RS256: [rsa('RSASSA-PKCS1-v1_5'), { name: 'RSASSA-PKCS1-v1_5' }],
  PS256: [rsa('RSA-PSS'), { name: 'RSA-PSS', saltLength: 32 }],
};

function rsa(name: string): object {
  return { name, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
}

for (const [alg, [algorithm, parameters]] of Object.entries(KEYS)) {
  test(`a proof with ${alg} is signed with the key in its header`, async () => {
    const pair = (await subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, false, ['sign', 'verify'])) as unknown as Pair;
    const token = 'a.b.c';
    const proof = await prove(pair, token, 'wss://host/live?tenant=demo', 1_700_000_000_500);
    const [header, claims, signature] = proof.split('.') as [string, string, string];
    const { typ, jwk, alg: named } = read(header);
    assert.deepEqual([typ, named], ['dpop+jwt', alg]);
    assert(!('d' in (jwk as object)), 'the private key');
    const { htm, htu, iat, ath, jti } = read(claims);
    const hash = Buffer.from(await subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
    assert.deepEqual([htm, htu, iat, ath], ['GET', 'wss://host/live', 1_700_000_000, hash]);
    assert.notEqual(read((await prove(pair, token, 'wss://host/live', 0)).split('.')[1]!)['jti'], jti);
    const key = await subtle.importKey('jwk', jwk as webcrypto.JsonWebKey, algorithm as webcrypto.EcKeyImportParams, true, ['verify']);
    assert(await subtle.verify(parameters as webcrypto.EcdsaParams, key, Buffer.from(signature, 'base64url'), Buffer.from(`${header}.${claims}`)));
  });
}

test('the thumbprint is that of the standard, and a generated key cannot be read', async () => {
  // RFC 9449, section 4.1.
  const point = { x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs', y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA' };
  const jwk = { kty: 'EC', crv: 'P-256', ...point };
  const publicKey = await subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
  assert.equal(await dpopThumbprint({ publicKey } as unknown as Pair), '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
  const generated = await generateDpopKey();
  await assert.rejects(subtle.exportKey('pkcs8', generated.privateKey as unknown as webcrypto.CryptoKey));
});

test('another key is refused by name', async () => {
  const pair = (await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-521' }, false, ['sign', 'verify'])) as unknown as Pair;
  await assert.rejects(prove(pair, 'secret', 'wss://host', 0), { code: 'invalid_token', message: /ES256, ES384, .*; found ECDSA P-521/ });
});
