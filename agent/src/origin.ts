/** Calls to the orchestrator's origin: HTTPS by node:https with the configured authorities and proxy, bounded answers. */
import { readFileSync } from "node:fs";
import https from "node:https";
import { rootCertificates } from "node:tls";

/** How this machine reaches the outside, for origin, control channel and rendezvous alike. */
export interface Network {
  /** PEM of authorities trusted beside Node's own. */
  readonly caPem?: string;
  /** `http://[user:password@]host:port` */
  readonly proxy?: string;
}

const MAX_ANSWER_BYTES = 256 * 1024;
const TIMEOUT_MS = 30_000;

/** Reads the configured authorities' file once. @throws Error that names the file. */
export function loadNetwork(caFile: string | undefined, proxy: string | undefined): Network {
  return {
    ...(caFile === undefined ? {} : { caPem: readFileSync(caFile, "utf8") }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

/**
 * A fresh agent for one connection. An explicit one is needed even without a proxy: without an agent `ws` ignores proxy
 * settings. The time-out is also what ends a proxy that never answers.
 */
export function createAgent(network: Network, timeoutMs: number = TIMEOUT_MS): https.Agent {
  return new https.Agent({
    ...(network.caPem === undefined ? {} : { ca: [...rootCertificates, network.caPem] }),
    minVersion: "TLSv1.2",
    keepAlive: false,
    timeout: timeoutMs,
    ...(network.proxy === undefined ? {} : { proxyEnv: { HTTPS_PROXY: network.proxy } }),
  });
}

export interface Answer {
  readonly status: number;
  /** The parsed JSON body; undefined when it is not JSON. */
  readonly body: unknown;
}

/** The origin could not be reached, or answered what is no answer. */
export class OriginError extends Error {
  override readonly name = "OriginError";
}

/**
 * POSTs a body that is already encoded, so that a repeat sends the same bytes.
 * @throws OriginError when no complete answer of at most 256 KiB came within 30 s.
 */
export function postJson(
  origin: string,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  network: Network,
  signal: AbortSignal,
): Promise<Answer> {
  const url = new URL(path, origin);
  if (url.protocol !== "https:") throw new OriginError(`${url.origin} is refused: only https: is used`);
  const agent = createAgent(network);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options = {
    method: "POST",
    agent,
    headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
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
    response.on("end", () => resolve({ status: response.statusCode ?? 0, body: jsonOrNothing(Buffer.concat(chunks)) }));
  });
  request.on("error", reject);
  request.end(body);
  return promise
    .catch((error: Error) => {
      throw new OriginError(`${url.origin} did not answer: ${error.message}`);
    })
    .finally(() => agent.destroy());
}

function jsonOrNothing(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
