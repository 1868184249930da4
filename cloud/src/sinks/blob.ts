/**
 * Staging a file as blocks of one blob. Every write that names content carries `If-None-Match: *` and its hash, so that
 * a repeat of the same bytes is a success and other bytes under the same name are an alarm (docs/runs.md step 6).
 */
import { createHash } from "node:crypto";
import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { statusOf } from "../store/tables.ts";

/** The service's limit of blocks in a blob. */
const MAX_BLOCKS = 50_000;
/** Blocks on their way at once; with the one being filled they bound the buffer. */
const UPLOADS = 2;

export interface StagedFile {
  readonly path: string;
  readonly bytes: number;
  /** Resolves when the bytes are staged or buffered; throws `storage.failed`. */
  append(bytes: Uint8Array): Promise<void>;
  /** Ends the current block: its upload begins. */
  endBlock(): Promise<void>;
  /** Puts the block list. The same file committed before is a success. */
  commit(): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** Waits for uploads under way and stages no more. Never throws. */
  abort(): Promise<void>;
}

/** `blockBytes`: at most a quarter of the session's window. `random`: block ids must differ between writers of a name. */
export function stageFile(
  container: ContainerClient,
  path: string,
  blockBytes: number,
  random: (bytes: number) => Buffer,
): StagedFile {
  const blob = container.getBlockBlobClient(path);
  const hash = createHash("sha256");
  const stop = new AbortController();
  // Ids of one blob have one length: a random start and six digits.
  const prefix = random(9).toString("hex");
  const ids: string[] = [];
  const uploads = new Set<Promise<void>>();
  /** Filled from its start; each upload takes its own away. */
  let block: Buffer | undefined;
  let blockLength = 0;
  let total = 0;
  let failure: unknown;

  async function endBlock(): Promise<void> {
    if (failure) throw failed(path, failure);
    if (block === undefined) return;
    if (ids.length === MAX_BLOCKS) throw new SallyportError("limit.bytes", `A part has at most ${MAX_BLOCKS} blocks.`);
    const content = block.subarray(0, blockLength);
    block = undefined;
    blockLength = 0;
    const id = Buffer.from(`${prefix}${String(ids.length).padStart(6, "0")}`).toString("base64");
    ids.push(id);
    const upload = blob.stageBlock(id, content, content.length, { abortSignal: stop.signal }).then(
      () => void uploads.delete(upload),
      (thrown: unknown) => {
        failure ??= thrown;
        uploads.delete(upload);
      },
    );
    uploads.add(upload);
    if (uploads.size >= UPLOADS) await Promise.race(uploads);
  }

  return {
    path,
    get bytes() {
      return total;
    },
    endBlock,
    async append(bytes) {
      hash.update(bytes);
      total += bytes.length;
      for (let offset = 0; offset < bytes.length; ) {
        const piece = bytes.subarray(offset, offset + blockBytes - blockLength);
        // A copy: the caller's buffer may be reused, and a view would keep all of it alive.
        block ??= Buffer.allocUnsafeSlow(blockBytes);
        block.set(piece, blockLength);
        blockLength += piece.length;
        offset += piece.length;
        if (blockLength === blockBytes) await endBlock();
      }
    },
    async commit() {
      await endBlock();
      await Promise.all(uploads);
      if (failure) throw failed(path, failure);
      const sha256 = hash.digest("base64url");
      await once(blob, sha256, () =>
        blob.commitBlockList(ids, { conditions: { ifNoneMatch: "*" }, metadata: { sha256 } }),
      );
      return { sha256, bytes: total };
    },
    async abort() {
      stop.abort();
      block = undefined;
      await Promise.all(uploads);
    },
  };
}

/** Writes a small blob whole, once; the same content again is a success. Answers its hash. */
export async function putOnce(
  container: ContainerClient,
  path: string,
  content: Uint8Array,
  contentType: string,
): Promise<string> {
  const blob = container.getBlockBlobClient(path);
  const sha256 = createHash("sha256").update(content).digest("base64url");
  await once(blob, sha256, () =>
    blob.upload(content, content.length, {
      conditions: { ifNoneMatch: "*" },
      metadata: { sha256 },
      blobHTTPHeaders: { blobContentType: contentType },
    }),
  );
  return sha256;
}

/** Reads a small blob and checks it against its hash. Throws `storage.failed`, `storage.conflict`. */
export async function readWhole(container: ContainerClient, path: string, sha256?: string): Promise<Buffer> {
  let content: Buffer;
  try {
    content = await container.getBlobClient(path).downloadToBuffer();
  } catch (thrown) {
    throw failed(path, thrown);
  }
  if (sha256 !== undefined && createHash("sha256").update(content).digest("base64url") !== sha256) {
    throw conflict(path);
  }
  return content;
}

/** A lost answer, repeated by the SDK, comes back as 409: then the hash says whether it was ours. */
async function once(blob: BlockBlobClient, sha256: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (thrown) {
    const status = statusOf(thrown);
    if (status !== 409 && status !== 412) throw failed(blob.name, thrown);
    const there = await blob.getProperties().catch((cause: unknown) => {
      throw failed(blob.name, cause);
    });
    if (there.metadata?.sha256 !== sha256) throw conflict(blob.name);
  }
}

const conflict = (path: string) =>
  new SallyportError("storage.conflict", "A blob exists with another content than this run's.", { path });
const failed = (path: string, cause: unknown) =>
  cause instanceof SallyportError
    ? cause
    : new SallyportError("storage.failed", "The blob service did not take or give a blob.", { path }, cause);
