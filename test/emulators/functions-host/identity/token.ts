import { createPrivateKey } from "node:crypto";
import { SignJWT } from "jose";

/** The managed identity the host plays: its ids and the key that signs its tokens. */
export type Identity = {
  /** The service principal's object id: `sub` and `oid` of its tokens. */
  principalId: string;
  clientId: string;
  /** A P-256 private key, PEM (PKCS #8 or SEC 1). */
  privateKeyPem: string;
};

/** Not a tenant of anyone: tokens of this issuer come from a local host. */
export const TENANT_ID = "00000000-0000-0000-0000-5a1179047000";
export const ISSUER = `https://sts.windows.net/${TENANT_ID}/`;

const LIFETIME_SECONDS = 24 * 3600;

/**
 * Makes an access token for a resource, an ES256 JWT valid for 24 hours, with the claims of an Entra v1 app token.
 * Times are Unix seconds. Throws when the key is no P-256 private key.
 */
export async function makeAccessToken(
  identity: Identity,
  resource: string,
  nowSeconds: number,
): Promise<{ token: string; expiresOnSeconds: number }> {
  const expiresOnSeconds = nowSeconds + LIFETIME_SECONDS;
  const token = await new SignJWT({ oid: identity.principalId, appid: identity.clientId, tid: TENANT_ID, ver: "1.0" })
    .setProtectedHeader({ alg: "ES256", typ: "JWT" })
    .setAudience(resource)
    .setIssuer(ISSUER)
    .setSubject(identity.principalId)
    .setIssuedAt(nowSeconds)
    .setNotBefore(nowSeconds)
    .setExpirationTime(expiresOnSeconds)
    .sign(createPrivateKey(identity.privateKeyPem));
  return { token, expiresOnSeconds };
}
