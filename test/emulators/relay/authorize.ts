import { decodeJwt } from "jose";
import type { Entity } from "./entities.ts";
import type { AuthorizationRule, RelaySettings, Right } from "./options.ts";
import { isBelow } from "./paths.ts";
import { covers, isSignedBy, parseSas } from "./sas.ts";

/** What the relay says to a token: until when it holds, or the handshake's status and reason. */
export type Verdict =
  | { readonly allowed: true; readonly expiresAtMs: number }
  | { readonly allowed: false; readonly status: 401 | 403; readonly reason: string };

type Scoped = { readonly rule: AuthorizationRule; readonly scope: readonly string[] };

/**
 * Decides whether a token confers a right on a path. 401: missing, malformed, forged or expired. 403: genuine, but for another
 * path or another right. An entity's rule speaks for that entity alone, a namespace's for everything in it.
 */
export async function authorize(
  settings: RelaySettings,
  token: string | undefined,
  right: Right,
  target: readonly string[],
  entity: Entity | undefined,
): Promise<Verdict> {
  if (!token) return refused(401, "MissingToken: the security token is missing");
  if (!token.startsWith("SharedAccessSignature")) return authorizeEntra(settings, token, right);
  const sas = parseSas(token);
  if (!sas) return refused(401, "MalformedToken: the token is not a shared access signature");
  const rules: Scoped[] = [
    ...settings.namespaceRules.map((rule) => ({ rule, scope: [] })),
    ...(entity?.rules ?? []).map((rule) => ({ rule, scope: entity?.segments ?? [] })),
  ];
  const genuine = rules.filter(({ rule }) => isSignedBy(sas, rule));
  if (genuine.length === 0) return refused(401, "InvalidSignature: the token has an invalid signature");
  if (sas.expiresAtMs <= settings.now()) return refused(401, "ExpiredToken: the token has expired");
  const inScope = genuine.filter(({ scope }) => isBelow(sas.segments, scope));
  if (inScope.length === 0 || !covers(sas, settings.namespace, target)) {
    return refused(403, "InvalidAudience: the token is not valid for this path");
  }
  if (!inScope.some(({ rule }) => confers(rule.rights, right)))
    return refused(403, `Unauthorized access: '${right}' claim is required`);
  return { allowed: true, expiresAtMs: sas.expiresAtMs };
}

async function authorizeEntra(settings: RelaySettings, jwt: string, right: Right): Promise<Verdict> {
  const verdict = await settings.entraToken(jwt);
  if (verdict === false) return refused(401, "InvalidToken: the token is not valid here");
  if (verdict !== true && !confers(verdict, right))
    return refused(403, `Unauthorized access: '${right}' claim is required`);
  return { allowed: true, expiresAtMs: expiryOf(jwt) };
}

/** The deciding function has verified the token; one it takes that is no JWT (a test's) never expires. */
function expiryOf(jwt: string): number {
  try {
    const { exp } = decodeJwt(jwt);
    return exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function confers(rights: readonly Right[], right: Right): boolean {
  return rights.includes(right) || rights.includes("Manage");
}

function refused(status: 401 | 403, reason: string): Verdict {
  return { allowed: false, status, reason };
}
