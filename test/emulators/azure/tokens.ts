/** Who calls: a bearer token of the one identity, for one of these audiences. */
import { importJWK, jwtVerify } from "jose";

/** What a principal may do, by its object id: names of actions, or `*`. */
export type Rights = Readonly<Record<string, readonly string[]>>;

export interface Issuer {
  /** The public key that tokens are signed with, EC on P-256. */
  readonly jwk: { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string };
  readonly rights: Rights;
}

export interface Caller {
  readonly principal: string;
  may(action: string): boolean;
}

/** Undefined for no token, a bad one, or one for another service: whatever is wrong, a service says no more than 401. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller | undefined>;

export async function authenticator({ jwk, rights }: Issuer, audiences: readonly string[]): Promise<Authenticate> {
  const key = await importJWK(jwk, "ES256");
  return async (authorization) => {
    const token = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return undefined;
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: ["ES256"], requiredClaims: ["exp", "oid"] });
      const named = [payload.aud ?? []].flat().map((audience) => audience.replace(/\/+$/, ""));
      if (!named.some((audience) => audiences.includes(audience))) return undefined;
      const principal = String(payload.oid);
      const allowed = rights[principal] ?? [];
      return { principal, may: (action) => allowed.includes("*") || allowed.includes(action) };
    } catch {
      return undefined;
    }
  };
}
