import { createHmac, timingSafeEqual } from "node:crypto";

/** Send and Listen are what messages need; Manage, which includes both, is for what the emulator has in its configuration. */
export type Right = "Send" | "Listen" | "Manage";

export const ALL_RIGHTS: readonly Right[] = ["Send", "Listen", "Manage"];

/** A shared access policy. */
export type SasKey = {
  readonly name: string;
  readonly key: string;
  /** All of them when left out. */
  readonly rights?: readonly Right[] | undefined;
  /** The queue or topic on which the policy stands; the whole namespace when left out. */
  readonly entity?: string | undefined;
};

export type TokenRules = {
  readonly keys: readonly SasKey[];
  /** Absent: Entra tokens are refused. */
  readonly entraToken: ((jwt: string) => boolean) | undefined;
};

export type Token = {
  /** What the client asks for, `sb://host/path`. */
  readonly audience: string;
  readonly type: string;
  readonly text: string;
};

/** What a token allows, and until when, in milliseconds since 1970. */
export type Grant = { readonly rights: readonly Right[]; readonly untilMs: number };

/** What one connection may do. */
export type Claims = {
  /** For an audience and everything below it: a token for a topic is good for its subscriptions. */
  grant(audience: string, grant: Grant): void;
  /** Whether one of these rights is granted for an address now. */
  cover(address: string, rights: readonly Right[], nowMs: number): boolean;
};

/**
 * Checks a token for an audience.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
 *
 * @returns what the token grants, or undefined when it is not good
 */
export function verifyToken(
  { audience, type, text }: Token,
  { keys, entraToken }: TokenRules,
  nowMs: number,
): Grant | undefined {
  if (type === "servicebus.windows.net:sastoken") return verifySas(text, audience, keys, nowMs);
  if (type !== "jwt" || !entraToken?.(text)) return undefined;
  const untilMs = jwtExpiryMs(text, nowMs);
  return untilMs === undefined ? undefined : { rights: ALL_RIGHTS, untilMs };
}

export function createClaims(): Claims {
  const granted = new Map<string, Grant>();
  return {
    grant: (audience, grant) => granted.set(pathOf(audience), grant),
    cover(address, rights, nowMs) {
      const wanted = pathOf(address);
      return [...granted].some(
        ([path, grant]) =>
          grant.untilMs > nowMs && isWithin(path, wanted) && rights.some((right) => grant.rights.includes(right)),
      );
    },
  };
}

function verifySas(text: string, audience: string, keys: readonly SasKey[], nowMs: number): Grant | undefined {
  const [scheme, query] = text.split(" ");
  if (scheme !== "SharedAccessSignature" || query === undefined) return undefined;
  // Not URLSearchParams: what was signed is the resource as it was encoded, and a bare + is part of it.
  const fields = new Map(
    query.split("&").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  const [resource, signature, expiry, keyName] = ["sr", "sig", "se", "skn"].map((name) => fields.get(name));
  if (!resource || !signature || !expiry || !keyName || !/^\d{1,12}$/.test(expiry)) return undefined;
  const key = keys.find(({ name }) => name === decoded(keyName));
  if (!key) return undefined;
  const expected = createHmac("sha256", key.key).update(`${resource}\n${expiry}`).digest();
  const actual = Buffer.from(decoded(signature), "base64");
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
  const signed = pathOf(decoded(resource));
  if (!isWithin(signed, pathOf(audience)) || !isWithin(pathOf(key.entity ?? ""), signed)) return undefined;
  const untilMs = Number(expiry) * 1000;
  return untilMs > nowMs ? { rights: key.rights ?? ALL_RIGHTS, untilMs } : undefined;
}

/** A token whose own `exp` cannot be read is good for an hour: whether it is good at all was the caller's to say. */
function jwtExpiryMs(jwt: string, nowMs: number): number | undefined {
  let expiry: unknown;
  try {
    expiry = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()).exp;
  } catch {
    expiry = undefined;
  }
  const untilMs = typeof expiry === "number" ? expiry * 1000 : nowMs + 3_600_000;
  return untilMs > nowMs ? untilMs : undefined;
}

/** The entity path of `sb://host/path`, `https://host/path` or a bare path; in lower case, without `$management`. */
function pathOf(address: string): string {
  return address
    .toLowerCase()
    .replace(/^[a-z]+:\/\/[^/]*/, "")
    .replace(/^\/+|\/+$/g, "")
    .replace(/\/?\$management$/, "");
}

function isWithin(granted: string, wanted: string): boolean {
  return granted === "" || wanted === granted || wanted.startsWith(`${granted}/`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
