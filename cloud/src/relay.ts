/** The relay as the orchestrator sees it: addresses and shared access signatures (AZURE docs: relay-hybrid-connections-protocol). */
import { createHmac } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

export interface SharedAccessRule {
  /** Host name and, on another than 443, port. */
  readonly host: string;
  readonly keyName: string;
  readonly key: string;
}

/** `Endpoint=sb://HOST/;SharedAccessKeyName=N;SharedAccessKey=K`. Undefined when it is no connection string. */
export function parseConnectionString(text: string): SharedAccessRule | undefined {
  const parts = new Map(
    text.split(";").map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]),
  );
  const endpoint = parts.get("Endpoint");
  const keyName = parts.get("SharedAccessKeyName");
  const key = parts.get("SharedAccessKey");
  if (!endpoint?.startsWith("sb://") || !keyName || !key) return undefined;
  return { host: endpoint.slice(5).replace(/\/+$/, ""), keyName, key };
}

/** @throws settings.invalid */
export function requireConnectionString(text: string, setting: string): SharedAccessRule {
  const rule = parseConnectionString(text);
  if (rule === undefined)
    throw new SallyportError("settings.invalid", `${setting} is not a connection string.`, { settings: [setting] });
  return rule;
}

/**
 * A shared access signature for one hybrid connection (https://learn.microsoft.com/azure/azure-relay/relay-authentication-and-authorization).
 * The resource is `http://HOST/path/` without a port; the key is used as its text, not decoded.
 */
export function sharedAccessSignature(rule: SharedAccessRule, path: string, expiresAtSeconds: number): string {
  const hostname = rule.host.replace(/:\d+$/, "");
  const resource = encodeURIComponent(`http://${hostname}/${path}/`);
  const signature = createHmac("sha256", rule.key).update(`${resource}\n${expiresAtSeconds}`).digest("base64");
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiresAtSeconds}&skn=${encodeURIComponent(rule.keyName)}`;
}

export const listenUrl = (host: string, path: string): string => `wss://${host}/$hc/${path}?sb-hc-action=listen`;
export const connectUrl = (host: string, path: string, id: string): string =>
  `wss://${host}/$hc/${path}?sb-hc-action=connect&sb-hc-id=${encodeURIComponent(id)}`;
