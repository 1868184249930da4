/** Puts a file where the orchestrator says: a whole block blob in one streamed call (https://learn.microsoft.com/rest/api/storageservices/put-blob). */
import { createReadStream } from "node:fs";
import http, { type ClientRequest } from "node:http";
import https from "node:https";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { getCACertificates } from "node:tls";
import { CliError, EXIT } from "./exit.ts";
import { environment } from "./settings.ts";

export interface Upload {
  /** The orchestrator that named the address. */
  readonly origin: string;
  /** With what allows it in its query: it is shown nowhere. */
  readonly url: string;
  readonly file: string;
  readonly bytes: number;
}

/** Nothing moved for so long. */
const IDLE_MS = 120_000;
/** Who has said nothing by then may know no `Expect` (RFC 9110, section 10.1.1; as curl has it). */
const CONTINUE_WITHIN_MS = 1_000;
const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "localhost"]);
const AGAIN = "Give the same command again: it goes on with what is missing.";

/** @param onSent how many bytes were handed over so far. @throws CliError when the storage did not take it */
export async function upload(
  { origin, url, file, bytes }: Upload,
  caPem: string | undefined,
  onSent: (bytes: number) => void,
): Promise<void> {
  const { host, hostname, protocol } = new URL(url);
  const isSecure = protocol === "https:";
  // The storage of `npm start` has no TLS. It is on this very machine, as its orchestrator is: no other sends us to what runs here.
  const isOwn = LOOPBACK.has(hostname) && LOOPBACK.has(new URL(origin).hostname);
  if (!isSecure && !isOwn) {
    throw new CliError(EXIT.refused, `${host} would get the file in clear.`, "Nothing was sent there.");
  }
  // Who refuses does so before the file is on its way: an answer into the middle of it may be lost with the connection.
  const headers = { "x-ms-blob-type": "BlockBlob", "content-length": bytes, expect: "100-continue" };
  const request = isSecure
    ? https.request(url, { method: "PUT", headers, agent: agentFor(caPem) })
    : http.request(url, { method: "PUT", headers });
  try {
    const { status, code } = await answerTo(request, file, onSent);
    if (status === 201) return;
    const why = code === undefined ? `${status}` : `${status} (${code})`;
    throw new CliError(EXIT.tryAgain, `${host} answered ${why} to ${file}.`, AGAIN);
  } catch (thrown) {
    if (thrown instanceof CliError) throw thrown;
    throw new CliError(EXIT.unreachable, `${file} did not get to ${host}: ${(thrown as Error).message}`, AGAIN);
  } finally {
    request.destroy();
  }
}

const agentFor = (caPem: string | undefined): https.Agent =>
  new https.Agent({
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(caPem === undefined ? {} : { ca: [...getCACertificates("default"), caPem] }),
    proxyEnv: environment,
  });

interface Answer {
  readonly status: number;
  /** The storage's word for a refusal. */
  readonly code: string | undefined;
}

/** The answer counts, also one that comes before anything was sent. */
function answerTo(request: ClientRequest, file: string, onSent: (bytes: number) => void): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  request.setTimeout(IDLE_MS, () => request.destroy(new Error(`nothing moved for ${IDLE_MS / 1000} s`)));
  request.on("error", reject);
  request.on("response", (response) => {
    response.resume();
    resolve({ status: response.statusCode ?? 0, code: response.headers["x-ms-error-code"] as string | undefined });
  });
  let sent = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.byteLength;
      onSent(sent);
      done(null, chunk);
    },
  });
  let isSending = false;
  const send = (): void => {
    if (isSending) return;
    isSending = true;
    pipeline(createReadStream(file), counted, request).catch(reject);
  };
  request.once("continue", send);
  const late = setTimeout(send, CONTINUE_WITHIN_MS);
  request.flushHeaders();
  return promise.finally(() => {
    isSending = true;
    clearTimeout(late);
  });
}
