/** Who a call is from, by its `Authorization: Bearer`: an API key, or a token of Entra ID where that is set up. */
import { authenticateKey, type KeyDeps, refused } from "./api-keys.ts";
import type { EntraDeps } from "./entra.ts";
import { authenticateToken } from "./entra.ts";
import type { Principal } from "./principal.ts";

export interface AuthenticationDeps {
  readonly keys: KeyDeps;
  readonly entra: EntraDeps | undefined;
}

/** Three parts of base64url with dots between: an API key holds no dot. */
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
const MAX_CHARACTERS = 16_384;

/** @throws api.unauthenticated; api.identity_provider where the provider's keys cannot be had */
export async function authenticate(deps: AuthenticationDeps, authorization: string | null): Promise<Principal> {
  const bearer = /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
  if (bearer.length > MAX_CHARACTERS) throw refused();
  if (!COMPACT_JWS.test(bearer)) return authenticateKey(deps.keys, bearer);
  if (deps.entra === undefined) throw refused();
  return authenticateToken(deps.entra, bearer);
}
