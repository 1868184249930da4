/**
 * Names of webhooks, asked of DNS itself. `dns.lookup` would ask on the few threads that the whole process shares: some names whose
 * servers never answer, and nobody in the process would resolve anything. The system's hosts file is not read.
 */
import { Resolver } from "node:dns/promises";
import type { Address } from "./networks.ts";

/** Every address of a name. Throws when there is none. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly Address[]>;

const TIMEOUT_MS = 2_000;
const TRIES = 2;
/** What DNS is never asked (RFC 6761 section 6.3). */
const LOOPBACK: readonly Address[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];

/** @param servers to ask, as `address:port`; the system's without them */
export function dnsResolve(servers?: readonly string[]): Resolve {
  return async (host, signal) => {
    if (/(^|\.)localhost\.?$/i.test(host)) return LOOPBACK;
    signal.throwIfAborted();
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
    if (servers !== undefined) resolver.setServers(servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      // Only what was found is ever connected to, so half an answer leads nowhere that was not checked.
      const found = [...addressesIn(four, 4), ...addressesIn(six, 6)];
      if (found.length === 0 && four.status === "rejected") throw four.reason;
      return found;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  };
}

const addressesIn = (answer: PromiseSettledResult<string[]>, family: number): Address[] =>
  answer.status === "fulfilled" ? answer.value.map((address) => ({ address, family })) : [];
