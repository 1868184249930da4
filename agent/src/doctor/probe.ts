/** One request that carries no secret, to see who answers: how soon, over which TLS, with whose certificate. */
import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import { performance } from "node:perf_hooks";
import { rootCertificates, type TLSSocket } from "node:tls";
import { networkFault } from "../network-fault.ts";
import { createAgent, type Network } from "../origin.ts";
import type { Verdict } from "./check.ts";

const CONNECT_WITHIN_MS = 4_000;

export interface Seen {
  readonly status: number;
  readonly reason: string;
  /** Until the answer's head was there. */
  readonly ms: number;
  /** The other end's clock, to the second, and this machine's, both when the answer came. */
  readonly theirMs: number | undefined;
  readonly ourMs: number;
  readonly tls: SeenTls;
}

export interface SeenTls {
  /** `TLSv1.3`. */
  readonly protocol: string;
  /** Why the certificate is not trusted; undefined where it is. */
  readonly refused: string | undefined;
  /** Who issued it, by common name. */
  readonly issuer: string;
  readonly endsMs: number;
  /** Whether the chain ends in an authority of Node's own list, not in one that this machine or its owner adds. */
  readonly publicRoot: boolean;
}

/**
 * What answers at `url`, and through the proxy where there is one. A certificate that is not trusted is told of instead
 * of ending the request. Rejects where no answer came.
 */
export async function probe(
  url: URL,
  network: Network,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Seen> {
  const agent = createAgent(network, CONNECT_WITHIN_MS);
  Object.assign(agent.options, { rejectUnauthorized: false });
  const began = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  // A request that still waits for its proxy hears nothing of its own signal.
  signal.addEventListener("abort", () => reject(new Error("no answer in time")), { once: true });
  const request = https.request(url, { method: "GET", agent, headers, signal });
  const take = (response: IncomingMessage): void => {
    const date = Date.parse(response.headers.date ?? "");
    resolve({
      status: response.statusCode ?? 0,
      reason: response.statusMessage ?? "",
      ms: Math.round(performance.now() - began),
      theirMs: Number.isNaN(date) ? undefined : date,
      ourMs: Date.now(),
      tls: tlsOf(response.socket as TLSSocket),
    });
    response.destroy();
  };
  request.on("response", take);
  request.on("upgrade", take);
  request.on("error", reject);
  request.end();
  try {
    return await promise;
  } finally {
    request.destroy();
    agent.destroy();
  }
}

function tlsOf(socket: TLSSocket): SeenTls {
  const leaf = socket.getPeerCertificate(true);
  let root = leaf;
  while (root.issuerCertificate !== undefined && root.issuerCertificate !== root) root = root.issuerCertificate;
  const { CN, O } = leaf.issuer;
  return {
    protocol: socket.getProtocol() ?? "no TLS",
    refused: socket.authorized ? undefined : String(socket.authorizationError),
    issuer: [CN ?? O ?? "?"].flat().join(", "),
    endsMs: Date.parse(leaf.valid_to),
    publicRoot: rootCertificates.some((pem) => new X509Certificate(pem).fingerprint256 === root.fingerprint256),
  };
}

/** A proxy's or a network's fault, in words of ours; for a request that no answer came to. */
export function unreached(thrown: unknown, advice: string): Verdict {
  const { code, why } = networkFault(thrown);
  return {
    status: "FAIL",
    details: why,
    advice: code.startsWith("network.proxy") ? "The proxy is in the way: see the check of it." : advice,
  };
}

/** `TLS issued by "Corp Inspect CA", not trusted`, with what helps; undefined for a certificate that is trusted. */
export function untrusted({ tls }: Seen): Verdict | undefined {
  if (tls.refused === undefined) return undefined;
  return {
    status: "FAIL",
    details: `TLS issued by "${tls.issuer}", not trusted (${tls.refused})`,
    advice: "Exempt the host from TLS inspection, or name the authority in agent.yaml: `tls: { ca: FILE }`.",
  };
}
