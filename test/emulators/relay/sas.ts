import { createHmac, timingSafeEqual } from "node:crypto";
import type { AuthorizationRule } from "./options.ts";
import { isBelow, pathSegments } from "./paths.ts";

/**
 * Shared access signatures: `SharedAccessSignature sr=E&sig=S&se=N&skn=RULE`, S being the HMAC-SHA256 over E, a line feed and N.
 * The signature covers E exactly as it was sent, so E is kept raw until it has verified.
 * Source: https://learn.microsoft.com/azure/azure-relay/relay-authentication-and-authorization
 */

export type SasToken = {
  readonly ruleName: string;
  readonly signedText: string;
  readonly signature: Buffer;
  readonly expiresAtMs: number;
  /** Lower case, without a port: an emulator's port is never Azure's 443. */
  readonly host: string;
  readonly segments: readonly string[];
};

const PREFIX = "SharedAccessSignature ";
const FIELDS = ["sr", "sig", "se", "skn"] as const;
const SCHEMES = new Set(["http:", "https:", "sb:", "hc:", "wss:"]);

/** Reads a token's text; undefined when any part is missing, doubled or malformed. Verifies nothing. */
export function parseSas(text: string): SasToken | undefined {
  const fields = sasFields(text);
  if (!fields) return undefined;
  const { sr, sig, se, skn } = fields;
  const signature = decode(sig);
  const resource = decode(sr);
  const ruleName = decode(skn);
  if (signature === undefined || resource === undefined || !ruleName || !/^\d{1,12}$/.test(se)) return undefined;
  const url = URL.parse(resource);
  if (!url || !SCHEMES.has(url.protocol)) return undefined;
  const segments = pathSegments(url.pathname);
  if (!segments) return undefined;
  return {
    ruleName,
    signedText: `${sr}\n${se}`,
    signature: Buffer.from(signature, "base64"),
    expiresAtMs: Number(se) * 1000,
    host: url.hostname.toLowerCase(),
    segments,
  };
}

function sasFields(text: string): Record<(typeof FIELDS)[number], string> | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const found = new Map<string, string>();
  for (const pair of text.slice(PREFIX.length).split("&")) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, at);
    if (at < 1 || found.has(name)) return undefined;
    found.set(name, pair.slice(at + 1));
  }
  const [sr, sig, se, skn] = FIELDS.map((name) => found.get(name));
  if (!sr || !sig || !se || !skn || found.size !== FIELDS.length) return undefined;
  return { sr, sig, se, skn };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Whether either of the rule's keys made this signature. */
export function isSignedBy(token: SasToken, rule: AuthorizationRule): boolean {
  if (rule.name !== token.ruleName) return false;
  return [rule.primaryKey, rule.secondaryKey].some((key) => {
    if (!key) return false;
    const expected = createHmac("sha256", key).update(token.signedText).digest();
    return expected.length === token.signature.length && timingSafeEqual(expected, token.signature);
  });
}

/** Whether the token was made for this host and for `target` or something above it. */
export function covers(token: SasToken, host: string, target: readonly string[]): boolean {
  return token.host === host.toLowerCase() && isBelow(target, token.segments);
}

/** Makes a token as a client does. `resource` is a URI such as `http://localhost/agents/a1`; time is in seconds since 1970. */
export function mintSas(resource: string, ruleName: string, key: string, expiresAtSeconds: number): string {
  const sr = encodeURIComponent(resource);
  const signature = createHmac("sha256", key).update(`${sr}\n${expiresAtSeconds}`).digest("base64");
  return `${PREFIX}sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expiresAtSeconds}&skn=${encodeURIComponent(ruleName)}`;
}
