/**
 * An OpenID provider on loopback, as far as a resource server sees one: discovery document, keys, and tokens signed by them.
 * Beside good tokens it makes every wrong one that a test wants.
 */
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from "jose";

export interface EntraOptions {
  readonly tls: { readonly key: string; readonly cert: string };
}

export interface TokenWish {
  readonly roles?: readonly string[];
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Partial<JWTHeaderParameters>;
  /** Signs with another key than the one that is published. */
  readonly key?: CryptoKey | Uint8Array;
}

export interface Entra {
  readonly issuer: string;
  readonly audience: string;
  /** How often the keys were fetched. */
  readonly fetches: number;
  /** A token that is good unless the wish spoils it. */
  token(wish?: TokenWish): Promise<string>;
  /** Goes over to a new key; the one before is no longer published. */
  rotate(): Promise<void>;
  /** Answers nothing but errors from now on, or as before again. */
  fail(failing: boolean): void;
  close(): Promise<void>;
}

export async function startEntra({ tls }: EntraOptions): Promise<Entra> {
  const audience = "00000000-1111-2222-3333-444444444444";
  let serial = 0;
  let fetches = 0;
  let failing = false;
  const draw = async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256");
    const kid = `key-${++serial}`;
    return { privateKey, kid, jwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" } };
  };
  let current = await draw();
  const server = createServer(tls, (request, response) => {
    const documents: Readonly<Record<string, () => unknown>> = {
      "/v2.0/.well-known/openid-configuration": () => ({ issuer, jwks_uri: `${origin}/keys` }),
      "/keys": () => {
        fetches += 1;
        return { keys: [current.jwk] };
      },
    };
    const document = failing ? undefined : documents[request.url ?? ""];
    response.writeHead(document === undefined ? 503 : 200, { "content-type": "application/json" });
    response.end(document === undefined ? "{}" : JSON.stringify(document()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  const issuer = `${origin}/v2.0`;
  return {
    issuer,
    audience,
    get fetches() {
      return fetches;
    },
    token: ({ roles = [], claims = {}, header = {}, key = current.privateKey } = {}) => {
      const nowSeconds = Math.floor(Date.now() / 1000);
      const oid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
      const good = { iss: issuer, aud: audience, azp: "caller", sub: "subject", oid, roles };
      return new SignJWT({ ...good, iat: nowSeconds, exp: nowSeconds + 600, ...claims })
        .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: current.kid, ...header })
        .sign(key);
    },
    rotate: async () => {
      current = await draw();
    },
    fail: (now) => {
      failing = now;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
