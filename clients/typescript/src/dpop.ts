import { AuthenticationError } from './errors.js';

/** A key of WebCrypto. It is declared here so that these types need no others of a platform. */
export interface DpopKey {
  readonly type: 'private' | 'public' | 'secret';
  readonly extractable: boolean;
  readonly algorithm: { name: string };
  readonly usages: ('decrypt' | 'deriveBits' | 'deriveKey' | 'encrypt' | 'sign' | 'unwrapKey' | 'verify' | 'wrapKey')[];
}

/** A private key, which may be one that no script can read, and its public key. A `CryptoKeyPair` is one. */
export interface DpopKeyPair {
  readonly privateKey: DpopKey;
  readonly publicKey: DpopKey;
}

/** The members of a public key that its thumbprint covers, in their order (RFC 7638, section 3.2; RFC 8037, section 2). */
const REQUIRED: Record<string, readonly (keyof JsonWebKey)[]> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** Generates a key for DPoP (ES256). No script can read its private half. */
export function generateDpopKey(): Promise<DpopKeyPair> {
  return subtle().generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
}

/** The thumbprint of the public key (RFC 7638), the `cnf.jkt` of a token that is bound to it. */
export async function dpopThumbprint({ publicKey }: DpopKeyPair): Promise<string> {
  return base64url(await subtle().digest('SHA-256', bytes(JSON.stringify(await publicJwk(publicKey)))));
}

/**
 * A new proof that this client has the key to which `token` is bound, for a connection to `url` (RFC 9449). `now` is the
 * time in milliseconds.
 */
export async function prove({ privateKey, publicKey }: DpopKeyPair, token: string, url: string, now: number): Promise<string> {
  const { alg, parameters } = signing(privateKey);
  const random = crypto.getRandomValues(new Uint8Array(16));
  const header = { typ: 'dpop+jwt', alg, jwk: await publicJwk(publicKey) };
  const claims = {
    jti: base64url(random.buffer),
    htm: 'GET',
    htu: url.split(/[?#]/)[0],
    iat: Math.floor(now / 1000),
    ath: base64url(await subtle().digest('SHA-256', bytes(token))),
  };
  const signed = [header, claims].map((part) => base64url(bytes(JSON.stringify(part)).buffer)).join('.');
  return `${signed}.${base64url(await subtle().sign(parameters, privateKey, bytes(signed)))}`;
}

/** The name of a key's algorithm in a JSON Web Token, and the parameters of a signature with it. */
function signing({ algorithm }: DpopKey): { alg: string; parameters: AlgorithmIdentifier | EcdsaParams | RsaPssParams } {
  const { name, namedCurve, hash } = algorithm as { name: string; namedCurve?: string; hash?: { name: string } };
  if (name === 'ECDSA' && namedCurve === 'P-256') return { alg: 'ES256', parameters: { name, hash: 'SHA-256' } };
  if (name === 'ECDSA' && namedCurve === 'P-384') return { alg: 'ES384', parameters: { name, hash: 'SHA-384' } };
  if (name === 'Ed25519') return { alg: 'EdDSA', parameters: { name } };
  if (name === 'RSASSA-PKCS1-v1_5' && hash?.name === 'SHA-256') return { alg: 'RS256', parameters: { name } };
  if (name === 'RSA-PSS' && hash?.name === 'SHA-256') return { alg: 'PS256', parameters: { name, saltLength: 32 } };
  throw new AuthenticationError('invalid_token', `dpop needs a key for ES256, ES384, EdDSA, RS256 or PS256; found ${name} ${namedCurve ?? hash?.name ?? ''}`.trimEnd());
}

async function publicJwk(key: DpopKey): Promise<JsonWebKey> {
  const jwk = await subtle().exportKey('jwk', key);
  return Object.fromEntries((REQUIRED[jwk.kty ?? ''] ?? []).map((name) => [name, jwk[name]]));
}

function subtle(): SubtleCrypto {
  const { crypto } = globalThis as { crypto?: Partial<Crypto> };
  if (!crypto?.subtle) throw new AuthenticationError('invalid_token', 'dpop needs WebCrypto, which pages have only on https: and on localhost');
  return crypto.subtle;
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}

function base64url(data: ArrayBuffer): string {
  const text = btoa(String.fromCharCode(...new Uint8Array(data)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
