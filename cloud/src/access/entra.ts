/**
 * Tokens of Entra ID (or another OpenID provider of the setting): issuer, audience, time and signature, by keys that the
 * provider publishes. What they may do are their app roles: `pulls:read` for all tenants, `contoso/pulls:read` for one.
 * https://learn.microsoft.com/entra/identity-platform/access-tokens, OpenID Connect Discovery 1.0
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Scope, scope } from "@sallyport/shared/schema/api.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { z } from "zod";
import type { Grant, Principal } from "./principal.ts";

export interface EntraSettings {
  /** `https://login.microsoftonline.com/{directory}/v2.0`; its discovery document names the keys. */
  readonly issuer: string;
  /** The app registration's client id, or its `api://` address. */
  readonly audience: string;
}

export interface EntraDeps extends EntraSettings {
  readonly keys: JWTVerifyGetKey;
}

/** Seconds that clocks may differ. */
const SKEW_SECONDS = 60;
const TIMEOUT_MS = 5_000;
const MAX_DISCOVERY_BYTES = 64 * 1024;
/** An unknown `kid` asks the provider again, but not more often than this, whoever sends how many. */
const COOLDOWN_MS = 30_000;
const KEEP_MS = 3_600_000;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https$/ }) });

/** Entra's own ids; other providers may have others, which have to fit an agent's journal. */
const claims = z
  .object({
    oid: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,76}$/)
      .optional(),
    sub: z.string().regex(/^[A-Za-z0-9_.-]{1,76}$/),
    roles: z.array(z.string().max(256)).max(500).default([]),
    exp: z.number(),
    azp: z.string().optional(),
    appid: z.string().optional(),
    client_id: z.string().optional(),
    // What only a sign-in's ID token has (OpenID Connect Core 1.0, 2 and 3.3.2.11); it may be for the same audience.
    nonce: z.undefined().optional(),
    at_hash: z.undefined().optional(),
    c_hash: z.undefined().optional(),
  })
  // Whom an access token was issued to: azp or appid of Entra's, client_id of RFC 9068. Entra's ID tokens have none of them.
  .refine(({ azp, appid, client_id }) => (azp ?? appid ?? client_id) !== undefined);

/** The provider's keys: found by its discovery document, kept for an hour, fetched again for a `kid` that is new. */
export function entra(settings: EntraSettings, cooldownMs: number = COOLDOWN_MS): EntraDeps {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  let failedMs = Number.NEGATIVE_INFINITY;
  const found = (): Promise<JWTVerifyGetKey> => {
    // A provider that is away is not asked again by every call that comes meanwhile.
    if (keys === undefined || performance.now() - failedMs >= cooldownMs) {
      failedMs = Number.POSITIVE_INFINITY;
      keys = discover(settings.issuer, cooldownMs);
      keys.catch(() => {
        failedMs = performance.now();
      });
    }
    return keys;
  };
  return { ...settings, keys: async (header, token) => (await found())(header, token) };
}

async function discover(issuer: string, cooldownMs: number): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  const parsed = discovery.safeParse(response.ok && text.length <= MAX_DISCOVERY_BYTES ? JSON.parse(text) : undefined);
  if (!parsed.success || parsed.data.issuer !== issuer) throw new Error("the discovery document is not the issuer's");
  return createRemoteJWKSet(new URL(parsed.data.jwks_uri), {
    timeoutDuration: TIMEOUT_MS,
    cooldownDuration: cooldownMs,
    cacheMaxAge: KEEP_MS,
  });
}

/** @throws api.unauthenticated in one wording, whatever is wrong; api.identity_provider */
export async function authenticateToken(deps: EntraDeps, token: string): Promise<Principal> {
  const { issuer, audience } = deps;
  try {
    const { payload } = await jwtVerify(token, deps.keys, {
      ...{ issuer, audience, algorithms: ["RS256"], clockTolerance: SKEW_SECONDS },
      requiredClaims: ["exp", "iat", "sub"],
    });
    const claimed = claims.parse(payload);
    const id = claimed.oid ?? claimed.sub;
    return {
      ...{ id, caller: `app:${id}`, grants: grantsOf(claimed.roles), only: null },
      expiresAt: new Date(claimed.exp * 1000).toISOString(),
    };
  } catch (thrown) {
    if (isOfToken(thrown)) throw new SallyportError("api.unauthenticated", "The token is not valid here.");
    throw new SallyportError("api.identity_provider", "The identity provider's keys cannot be had.", {}, thrown);
  }
}

/** The token's own fault, and not the network's or the provider's. */
const isOfToken = (thrown: unknown): boolean =>
  thrown instanceof z.ZodError ||
  thrown instanceof errors.JWTExpired ||
  thrown instanceof errors.JWTClaimValidationFailed ||
  thrown instanceof errors.JWTInvalid ||
  thrown instanceof errors.JWSInvalid ||
  thrown instanceof errors.JWSSignatureVerificationFailed ||
  thrown instanceof errors.JOSEAlgNotAllowed ||
  thrown instanceof errors.JOSENotSupported ||
  thrown instanceof errors.JWKSNoMatchingKey ||
  thrown instanceof errors.JWKSMultipleMatchingKeys;

/** Roles that are none of ours give nothing. */
export function grantsOf(roles: readonly string[]): Grant[] {
  const byTenant = new Map<string | null, Set<Scope>>();
  for (const role of roles) {
    const [first, second] = role.split("/", 2) as [string, string?];
    const [tenant, name] = second === undefined ? [null, first] : [first, second];
    const named = scope.safeParse(name);
    if (!named.success || (tenant !== null && !nameId.safeParse(tenant).success) || role.split("/").length > 2)
      continue;
    byTenant.set(tenant, (byTenant.get(tenant) ?? new Set()).add(named.data));
  }
  return [...byTenant].map(([tenant, scopes]) => ({ tenant, scopes }));
}
