/** Where an `accept` may lead, what it must carry, and how it is turned down. Pure. */
import { isIP } from "node:net";
import { isChallenge } from "@sallyport/shared/protocol/hello.ts";
import { CHALLENGE_HEADER, PURPOSE_HEADER } from "@sallyport/shared/protocol/records.ts";

/** What a sender's headers say, or why the accept is turned down with 400. */
export type SenderHeaders =
  | { readonly ok: true; readonly challenge: string; readonly ping: boolean }
  | { readonly ok: false; readonly why: string };

/**
 * Looks up `Sallyport-Challenge` and `Sallyport-Purpose` without regard to case (hyco-ws senders lower-case names).
 * The challenge is 32 bytes as base64url, exactly once, in the one spelling that re-encodes to itself.
 */
export function readSenderHeaders(headers: Readonly<Record<string, string | readonly string[]>>): SenderHeaders {
  const valuesOf = (name: string): string[] =>
    Object.entries(headers).flatMap(([key, value]) => (key.toLowerCase() === name.toLowerCase() ? value : []));
  const challenges = valuesOf(CHALLENGE_HEADER);
  const challenge = challenges[0];
  if (challenge === undefined || challenges.length !== 1) return { ok: false, why: "needs exactly one challenge" };
  if (!isChallenge(challenge)) return { ok: false, why: "the challenge is not 32 bytes as base64url" };
  const purposes = valuesOf(PURPOSE_HEADER);
  if (purposes.length > 1 || (purposes[0] !== undefined && purposes[0] !== "ping")) {
    return { ok: false, why: "unknown purpose" };
  }
  return { ok: true, challenge, ping: purposes.length === 1 };
}

/**
 * A rendezvous address must be `wss:` on port 443 of a host in the namespace's parent domain (gateways lie beside the
 * namespace, `gN-…-sb.servicebus.windows.net`), or exactly one of `rendezvousHosts`. So a forged accept leads nowhere.
 * @param namespaceHost host name of the pinned listen URL, without port
 */
export function isRendezvousAddress(
  address: string,
  namespaceHost: string,
  rendezvousHosts: readonly string[],
): boolean {
  // Not by `url.hash`: a bare `#` at the end leaves it empty, and a WebSocket still refuses what is appended behind it.
  if (address.includes("#")) return false;
  const url = URL.parse(address);
  if (url === null || url.protocol !== "wss:" || url.username !== "" || url.password !== "") return false;
  if (!url.pathname.startsWith("/$hc/")) return false;
  const port = url.port === "" ? "443" : url.port;
  if (rendezvousHosts.some((entry) => (entry.includes(":") ? entry : `${entry}:443`) === `${url.hostname}:${port}`)) {
    return true;
  }
  const parent = parentDomain(namespaceHost);
  return port === "443" && parent !== undefined && url.hostname.endsWith(`.${parent}`);
}

/** `servicebus.windows.net` of `contoso.servicebus.windows.net`; none for an address or for a name of less than three labels. */
export function parentDomain(host: string): string | undefined {
  if (isIP(host) !== 0) return undefined;
  const labels = host.toLowerCase().split(".");
  return labels.length >= 3 ? labels.slice(1).join(".") : undefined;
}

/** The address that makes the relay fail the sender's upgrade; connecting to it gets 410, which is success. */
export function rejectAddress(address: string, status: number, description: string): string {
  return `${address}&sb-hc-statusCode=${status}&sb-hc-statusDescription=${encodeURIComponent(description)}`;
}
