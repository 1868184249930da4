/**
 * Downloads a release's archive from the orchestrator, a piece at a time (RFC 9110 section 14, Range), each call signed, by the
 * configured proxy and authorities. What has come stays, so that the next try goes on behind it; what is whole has its sum.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  fsyncSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { PIECE_BYTES, type ReleaseFile } from "@sallyport/shared/release/manifest.ts";
import { networkFault } from "../network-fault.ts";
import { createAgent } from "../origin.ts";
import { openRegular } from "../regular-file.ts";
import { syncFolder } from "../state.ts";
import { type SignedDeps, signCall } from "../supervisor/signed.ts";
import { refusalOf } from "./ask.ts";
import { stagedArchive, stagedPart, type UpdatePlaces } from "./places.ts";

const TIMEOUT_MS = 120_000;
const MAX_PROBLEM_BYTES = 64 * 1024;

const archivePath = (version: string, name: string): string => `/api/agent/releases/${version}/files/${name}`;

/** Puts the archive into the staging folder, whole and with the sum of its manifest. @throws network.*, update.refused */
export async function downloadArchive(
  deps: SignedDeps & { readonly places: UpdatePlaces; readonly offsetMs: number },
  version: string,
  file: ReleaseFile,
  signal: AbortSignal,
): Promise<void> {
  const { places } = deps;
  const whole = stagedArchive(places, file.sha256);
  mkdirSync(places.staged, { recursive: true, mode: 0o700 });
  dropOthers(places, file.sha256);
  if ((await sumOf(whole, file.bytes)) === file.sha256) return;
  const part = stagedPart(places, file.sha256);
  const target = openRegular(part, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    let at = Math.min(fstatSync(target).size, file.bytes);
    while (at < file.bytes) {
      const last = Math.min(at + PIECE_BYTES, file.bytes) - 1;
      const piece = await fetchPiece(deps, archivePath(version, file.name), at, last, file.bytes, signal);
      for (let written = 0; written < piece.length; )
        written += writeSync(target, piece, written, piece.length - written, at + written);
      fsyncSync(target);
      at += piece.length;
    }
  } finally {
    closeSync(target);
  }
  if ((await sumOf(part, file.bytes)) !== file.sha256) {
    rmSync(part, { force: true });
    throw new SallyportError(
      "update.refused",
      "What was downloaded has another sum than its manifest says; it was removed.",
    );
  }
  renameSync(part, whole);
  syncFolder(places.staged);
}

/** A release that is not wanted any more takes no room. */
function dropOthers({ staged }: UpdatePlaces, sha256: string): void {
  for (const name of readdirSync(staged))
    if (/^[0-9a-f]{64}\./.test(name) && !name.startsWith(sha256)) rmSync(join(staged, name), { force: true });
}

async function sumOf(path: string, bytes: number): Promise<string | undefined> {
  let file: number;
  try {
    file = openRegular(path);
  } catch {
    return undefined;
  }
  if (fstatSync(file).size !== bytes) {
    closeSync(file);
    return undefined;
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream("", { fd: file })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Bytes `first` to `last` of the file. @throws network.*, update.refused when the answer is another piece than was asked for */
function fetchPiece(
  deps: SignedDeps & { readonly offsetMs: number },
  path: string,
  first: number,
  last: number,
  total: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const agent = createAgent(deps.network);
  const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  until.addEventListener("abort", () => reject(until.reason), { once: true });
  const wanted = last - first + 1;
  const ask = async (): Promise<void> => {
    const authorization = `Bearer ${await signCall(deps, { method: "GET", path }, deps.offsetMs)}`;
    const headers = { authorization, range: `bytes=${first}-${last}`, "accept-encoding": "identity" };
    const request = https.get(new URL(path, deps.origin), { agent, headers, signal: until }, (response) => {
      const { statusCode = 0 } = response;
      const most = statusCode === 206 ? wanted : MAX_PROBLEM_BYTES;
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > most)
          response.destroy(new SallyportError("update.refused", "The orchestrator sent more than was asked for."));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks);
        if (statusCode !== 206) return reject(refusalOf(statusCode, parseJson(body)));
        const isIt = response.headers["content-range"] === `bytes ${first}-${last}/${total}` && body.length === wanted;
        if (isIt) resolve(body);
        else
          reject(
            new SallyportError(
              "update.refused",
              "The orchestrator sent another piece of the release than was asked for.",
            ),
          );
      });
    });
    request.on("error", reject);
  };
  ask().catch(reject);
  return promise
    .catch((error: unknown) => {
      if (error instanceof SallyportError) throw error;
      const { code, why } = networkFault(error);
      throw new SallyportError(code, `The download broke off: ${why}. What has come is kept.`);
    })
    .finally(() => agent.destroy());
}
