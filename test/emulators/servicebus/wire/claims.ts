import { createHmac, timingSafeEqual } from "node:crypto";

export type SasKey = { readonly name: string; readonly key: string };

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

/** What one connection may touch. */
export type Claims = {
  grant(audience: string, untilMs: number): void;
  /** Whether an address, and everything below what was granted, may be attached to now. */
  cover(address: string, nowMs: number): boolean;
};

/**
 * Checks a token for an audience.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
 *
 * @returns until when the token is good, in milliseconds since 1970, or undefined when it is not
 */
export function verifyToken(
  { audience, type, text }: Token,
  { keys, entraToken }: TokenRules,
  nowMs: number,
): number | undefined {
  if (type === "servicebus.windows.net:sastoken") return verifySas(text, audience, keys, nowMs);
  if (type === "jwt" && entraToken?.(text)) return jwtExpiryMs(text, nowMs);
  return undefined;
}

export function createClaims(): Claims {
  const granted = new Map<string, number>();
  return {
    grant: (audience, untilMs) => granted.set(pathOf(audience), untilMs),
    cover(address, nowMs) {
      const wanted = pathOf(address);
      return [...granted].some(([path, untilMs]) => untilMs > nowMs && isWithin(path, wanted));
    },
  };
}

function verifySas(text: string, audience: string, keys: readonly SasKey[], nowMs: number): number | undefined {
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
  if (!isWithin(pathOf(decoded(resource)), pathOf(audience))) return undefined;
  const untilMs = Number(expiry) * 1000;
  return untilMs > nowMs ? untilMs : undefined;
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
