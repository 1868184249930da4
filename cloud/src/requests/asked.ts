/**
 * What a request asks for, kept for whoever goes on with it. It may hold passwords and rows, and storage gives deleted blobs
 * back for two weeks (infra/app/storage.bicep): so the blob is encrypted, and its key stands in the request's record, which
 * forgets it when the request ends.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { ContainerClient } from "@azure/storage-blob";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type NewRequest, newRequest } from "@sallyport/shared/schema/api-requests.ts";
import { putOnce, readWhole } from "../sinks/blob.ts";
import type { RequestRecord } from "../store/requests.ts";

export type Asked = Pick<RequestRecord, "asked" | "askedKey">;

/** Of a request that nobody has to go on with. */
export const NOTHING_ASKED: Asked = { asked: null, askedKey: null };

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const LENGTHS = { authTagLength: TAG_BYTES };

/** Writes the blob; what is answered belongs into the record. @throws storage.failed */
export async function keepAsked(
  blobs: ContainerClient,
  folder: string,
  wanted: NewRequest,
  random: (bytes: number) => Buffer,
): Promise<Asked> {
  // A new name each time: whoever died before the record named it has left one behind.
  const asked = `${folder}/asked-${random(4).toString("hex")}.json`;
  const [key, iv] = [random(32), random(IV_BYTES)];
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(Buffer.from(asked));
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(wanted)), cipher.final()]);
  await putOnce(blobs, asked, Buffer.concat([iv, cipher.getAuthTag(), ciphertext]), "application/octet-stream");
  return { asked, askedKey: key.toString("base64url") };
}

/** Undefined where nothing was kept. @throws storage.failed, also for a blob that was altered */
export async function readAsked(blobs: ContainerClient, { asked, askedKey }: Asked): Promise<NewRequest | undefined> {
  if (asked === null || askedKey === null) return undefined;
  const bytes = await readWhole(blobs, asked);
  try {
    const decipher = createDecipheriv(CIPHER, Buffer.from(askedKey, "base64url"), bytes.subarray(0, IV_BYTES), LENGTHS)
      .setAAD(Buffer.from(asked))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    return newRequest.parse(JSON.parse(text.toString("utf8")));
  } catch (thrown) {
    throw new SallyportError("storage.failed", "What a request asked for cannot be read.", {}, thrown);
  }
}

/** Never throws: the sweep deletes what is left, and nobody has its key. */
export async function dropAsked(blobs: ContainerClient, { asked }: Asked): Promise<void> {
  if (asked === null) return;
  await blobs
    .getBlobClient(asked)
    .deleteIfExists()
    .catch(() => undefined);
}
