/** Calls to the orchestrator's origin: HTTPS by node:https with the configured authorities and proxy, bounded answers. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import type { Socket } from "node:net";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ConfigError } from "./config-error.ts";
import { networkFault } from "./network-fault.ts";
import { certificatesIn, systemAuthorities } from "./system-authorities.ts";
import { connectThrough } from "./tunnel.ts";

/** How this machine reaches the outside, for origin, control channel and rendezvous alike. */
export interface Network {
  /** PEM of authorities trusted beside Node's own. */
  readonly caPem?: string;
  /** `http://[user:password@]host:port` */
  readonly proxy?: string;
}

const MAX_ANSWER_BYTES = 256 * 1024;
const TIMEOUT_MS = 30_000;
/** Shorter than the whole, so that a proxy that never answers is named as what it is. */
const CONNECT_WITHIN_MS = 20_000;

/**
 * Reads once what this machine trusts beside Node's own list: the system's store and the configured file.
 * @throws ConfigError that names the file.
 */
export function loadNetwork(caFile: string | undefined, proxy: string | undefined): Network {
  const known = new Set(rootCertificates.map(bodyOf));
  const added = new Map<string, string>();
  for (const pem of [...systemAuthorities(), ...(caFile === undefined ? [] : authoritiesIn(caFile))]) {
    // One of the system's that cannot be read is the system's matter.
    if (!known.has(bodyOf(pem)) && !added.has(bodyOf(pem)) && isCertificate(pem)) added.set(bodyOf(pem), pem);
  }
  return {
    ...(added.size === 0 ? {} : { caPem: [...added.values()].join("\n") }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

function authoritiesIn(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(`${file} (tls.ca) cannot be read`);
  }
  const found = certificatesIn(text);
  if (found.length === 0 || !found.every(isCertificate)) {
    throw new ConfigError(`${file} (tls.ca) must hold certificates in PEM, and each must be readable`);
  }
  return found;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.byteLength > 0;
  } catch {
    return false;
  }
}

/** Parsing each of several hundred takes a quarter of a second; the same certificate has the same base64. */
const bodyOf = (pem: string): string => pem.replace(/-----[A-Z ]+-----|\s/g, "");

/**
 * A fresh agent for one connection. An explicit one is needed even without a proxy: without an agent `ws` ignores proxy
 * settings. The time-out is also what ends a proxy that never answers.
 */
export function createAgent({ caPem, proxy }: Network, timeoutMs: number = CONNECT_WITHIN_MS): https.Agent {
  const agent = new https.Agent({
    secureContext: secureContextOf(caPem),
    keepAlive: false,
    // Said here, NODE_TLS_REJECT_UNAUTHORIZED in somebody's environment switches nothing off.
    rejectUnauthorized: true,
    timeout: timeoutMs,
  });
  return proxy === undefined ? agent : throughProxy(agent, proxy, timeoutMs);
}

/** All of the agent's connections go through the proxy, whatever the host; its end is the end of what waits there. */
function throughProxy(agent: https.Agent, proxy: string, timeoutMs: number): https.Agent {
  const open = new Set<Socket>();
  const destroy = agent.destroy.bind(agent);
  return Object.assign(agent, {
    createConnection: connectThrough(proxy, open, timeoutMs),
    destroy() {
      for (const socket of open) socket.destroy();
      destroy();
    },
  });
}

const contexts = new Map<string | undefined, SecureContext>();

/** Made once: reading the list of authorities takes longer than a handshake. TLS 1.2 is the least that is spoken. */
export function secureContextOf(caPem: string | undefined): SecureContext {
  let context = contexts.get(caPem);
  if (context === undefined) {
    const ca = caPem === undefined ? {} : { ca: [...rootCertificates, caPem] };
    context = createSecureContext({ ...ca, minVersion: "TLSv1.2" });
    contexts.set(caPem, context);
  }
  return context;
}

export interface Answer {
  readonly status: number;
  /** The parsed JSON body; undefined when it is not JSON. */
  readonly body: unknown;
}

export interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Already encoded JSON, so that a repeat sends the same bytes. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** POSTs a body that is already encoded. @throws as callJson */
export const postJson = (
  origin: string,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  network: Network,
  signal: AbortSignal,
): Promise<Answer> => callJson(origin, { method: "POST", path, body, headers }, network, signal);

/**
 * One call, one connection. @throws network.* when no complete answer of at most 256 KiB came within 30 s.
 */
export function callJson(origin: string, call: Call, network: Network, signal: AbortSignal): Promise<Answer> {
  const { method, path, body, headers } = call;
  const url = new URL(path, origin);
  if (url.protocol !== "https:") throw new SallyportError("settings.invalid", `${url.origin} is refused: not https:.`);
  const agent = createAgent(network);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  // A request that still waits for its proxy hears nothing of its own signal.
  until.addEventListener("abort", () => reject(until.reason), { once: true });
  const encoded =
    body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const options = {
    method,
    agent,
    headers: { ...headers, ...encoded },
    signal: until,
  };
  const request = https.request(url, options, (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > MAX_ANSWER_BYTES) response.destroy(new Error("the answer is larger than 256 KiB"));
      else chunks.push(chunk);
    });
    response.on("error", reject);
    response.on("end", () => resolve({ status: response.statusCode ?? 0, body: parseJson(Buffer.concat(chunks)) }));
  });
  request.on("error", reject);
  request.end(body);
  return promise
    .catch((error: unknown) => {
      const { code, why } = networkFault(error);
      throw new SallyportError(code, `${url.origin} did not answer: ${why}.`);
    })
    .finally(() => agent.destroy());
}
