/**
 * Column buffers to Arrow record batch messages with ZSTD body compression (frame 0x11). The buffers go out as they
 * were filled, so what was appended is what any Arrow reader gets.
 * Schema message ‖ batch messages ‖ END_OF_STREAM is a standard compressed Arrow IPC stream.
 */

import { constants, zstdCompressSync } from "node:zlib";
import { Builder } from "flatbuffers";
import type { RowBatch } from "./columns.ts";
import { frameMessage, HEADER, padded } from "./ipc.ts";
import type { ColumnView } from "./layout.ts";

export { END_OF_STREAM } from "./ipc.ts";
export { decodeSchema, encodeSchema, PLAN_KEY } from "./schema.ts";

/** `CompressionType.ZSTD` of Arrow's `Message.fbs`. */
export const ZSTD = 1;
/** The prefix of a buffer that is stored as it is, because compression would not make it smaller. */
export const STORED = -1n;
export const PREFIX_BYTES = 8;

// Level 1 costs 40 % of level 3's time and gives 3 to 5 % larger messages.
const COMPRESSION = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Below this zstd's frame eats what it could save. */
const COMPRESSED_FROM_BYTES = 64;

const bytesOf = (array: Uint8Array | Int32Array | Int16Array): Uint8Array =>
  array instanceof Uint8Array ? array : new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const NOTHING = new Uint8Array(0);

/** The Arrow buffers of a column in the format's order; an empty one stands for "no row is NULL". */
function buffersOf(view: ColumnView): Uint8Array[] {
  const validity = view.nullCount === 0 || view.validity === undefined ? NOTHING : view.validity;
  // A list has only its offsets; its child has no NULLs, and its own buffers.
  if (view.items !== undefined) return [validity, bytesOf(view.offsets!), ...buffersOf(view.items)];
  if (view.offsets !== undefined) return [validity, bytesOf(view.offsets), view.data];
  // A struct has no data of its own; its two children have a validity and a data buffer each.
  if (view.offsetMinutes !== undefined) return [validity, NOTHING, view.data, NOTHING, bytesOf(view.offsetMinutes)];
  return [validity, view.data];
}

/** Node lengths and null counts of a column, children included. */
function nodesOf(view: ColumnView): (readonly [length: number, nulls: number])[] {
  const own = [view.length, view.nullCount] as const;
  if (view.items !== undefined) return [own, [view.items.length, 0]];
  return view.offsetMinutes === undefined ? [own] : [own, [view.length, 0], [view.length, 0]];
}

export interface EncodedBuffer {
  /** What stands before the data: the uncompressed length, or STORED; undefined in an uncompressed body. */
  readonly prefix: bigint | undefined;
  readonly data: Uint8Array;
}

function compress(data: Uint8Array): EncodedBuffer {
  if (data.length < COMPRESSED_FROM_BYTES) return { prefix: STORED, data };
  // One chunk of the output's largest size spares joining chunks.
  const chunkSize = data.length + (data.length >> 8) + 512;
  const compressed = zstdCompressSync(data, { params: COMPRESSION, chunkSize });
  return compressed.length < data.length ? { prefix: BigInt(data.length), data: compressed } : { prefix: STORED, data };
}

/**
 * `zstd`: compressed where that is smaller. `stored`: the same message with nothing compressed in it, for a connection
 * where sizes must tell nothing about neighbouring values. `plain`: for readers that know no compressed bodies.
 */
export type BodyForm = "zstd" | "stored" | "plain";

const ENCODE: Readonly<Record<BodyForm, (data: Uint8Array) => EncodedBuffer>> = {
  zstd: compress,
  stored: (data) => ({ prefix: STORED, data }),
  plain: (data) => ({ prefix: undefined, data }),
};

/** One record batch message of these columns. */
export function encodeViews(views: readonly ColumnView[], form: BodyForm): Uint8Array {
  const buffers = views.flatMap(buffersOf).map(ENCODE[form]);
  const rows = views[0]?.length ?? 0;
  return assembleBatch({ rows, nodes: views.flatMap(nodesOf), buffers, compressed: form !== "plain" });
}

export interface BatchParts {
  readonly rows: number;
  /** In the format's order, children after their struct. */
  readonly nodes: readonly (readonly [length: number, nulls: number])[];
  readonly buffers: readonly EncodedBuffer[];
  readonly compressed: boolean;
}

/** A record batch message of finished parts, as they are. */
export function assembleBatch({ rows, nodes, buffers, compressed }: BatchParts): Uint8Array {
  const sizes = buffers.map(({ prefix, data }) =>
    data.length === 0 ? 0 : data.length + (prefix === undefined ? 0 : PREFIX_BYTES),
  );
  const bodyBytes = sizes.reduce((sum, size) => sum + padded(size), 0);
  const builder = new Builder(256 + buffers.length * 32);
  const header = writeHeader(builder, rows, nodes, sizes, bodyBytes, compressed);
  const { message, body } = frameMessage(builder, HEADER.recordBatch, header, bodyBytes);
  const prefixes = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let position = 0;
  for (const [index, { prefix, data }] of buffers.entries()) {
    if (data.length === 0) continue;
    if (prefix !== undefined) prefixes.setBigInt64(position, prefix, true);
    body.set(data, position + (prefix === undefined ? 0 : PREFIX_BYTES));
    position += padded(sizes[index]!);
  }
  return message;
}

function writeHeader(
  builder: Builder,
  rows: number,
  nodes: readonly (readonly [length: number, nulls: number])[],
  sizes: readonly number[],
  bodyBytes: number,
  compressed: boolean,
): number {
  let compression = 0;
  if (compressed) {
    builder.startObject(2);
    builder.addFieldInt8(0, ZSTD, 0);
    compression = builder.endObject();
  }
  // FlatBuffers are written from the end, vectors of structs too.
  builder.startVector(16, sizes.length, 8);
  let position = bodyBytes;
  for (const size of sizes.toReversed()) {
    position -= padded(size);
    builder.writeInt64(BigInt(size));
    builder.writeInt64(BigInt(position));
  }
  const bufferVector = builder.endVector();
  builder.startVector(16, nodes.length, 8);
  for (const [length, nulls] of nodes.toReversed()) {
    builder.writeInt64(BigInt(nulls));
    builder.writeInt64(BigInt(length));
  }
  const nodeVector = builder.endVector();
  builder.startObject(5);
  builder.addFieldInt64(0, BigInt(rows), 0n);
  builder.addFieldOffset(1, nodeVector, 0);
  builder.addFieldOffset(2, bufferVector, 0);
  builder.addFieldOffset(3, compression, 0);
  return builder.endObject();
}

/** What is encoded of a batch: the batch itself, or one whose columns leave otherwise than they were read. */
export type Drained = Pick<RowBatch, "length" | "overflows" | "clear"> & {
  readonly columns: readonly Pick<RowBatch["columns"][number], "view">[];
};

/** The first `rows` rows of a batch as one record batch message; the batch stays as it is. */
export function encodeBatch(batch: Drained, form: "zstd" | "stored" = "zstd", rows: number = batch.length): Uint8Array {
  return encodeViews(
    batch.columns.map((column) => column.view(rows)),
    form,
  );
}

export interface EncodedBatch {
  readonly message: Uint8Array;
  readonly rows: number;
}

/** Encodes what a batch holds and empties it: one message, or two where the last row is too large for the first. */
export function drainBatch(batch: Drained, form: "zstd" | "stored" = "zstd"): EncodedBatch[] {
  const messages: EncodedBatch[] = [];
  if (batch.overflows) {
    messages.push({ message: encodeBatch(batch, form, batch.length - 1), rows: batch.length - 1 });
    batch.clear("last");
  }
  if (batch.length > 0) messages.push({ message: encodeBatch(batch, form), rows: batch.length });
  batch.clear();
  return messages;
}
