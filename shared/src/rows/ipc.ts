/**
 * Arrow's encapsulated messages: FF FF FF FF, the metadata's length, the metadata (a FlatBuffer), the body.
 * https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
 */

import type { Builder } from "flatbuffers";
import {
  badBatch,
  type FlatTable,
  readCount,
  readInt16,
  readTable,
  readTables,
  readUint8,
  rootTable,
} from "./flatbuffer.ts";

/** Slots and values of Arrow's `Message.fbs` and `Schema.fbs`, in the order of their fields. */
export const METADATA_V5 = 4;
export const HEADER = { schema: 1, recordBatch: 3 } as const;
const MESSAGE = { version: 0, headerType: 1, header: 2, bodyLength: 3, customMetadata: 4 } as const;

const CONTINUATION = 0xffff_ffff;

/** What ends an Arrow IPC stream: one a file. */
export const END_OF_STREAM: Uint8Array = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Bytes up to the next multiple of 8. */
export const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** Closes a FlatBuffer around `header` and returns it framed, with zeroed room for `bodyBytes` after it. */
export function frameMessage(builder: Builder, headerType: number, header: number, bodyBytes: number): FramedMessage {
  builder.startObject(5);
  builder.addFieldInt64(MESSAGE.bodyLength, BigInt(bodyBytes), 0n);
  builder.addFieldOffset(MESSAGE.header, header, 0);
  builder.addFieldInt16(MESSAGE.version, METADATA_V5, 0);
  builder.addFieldInt8(MESSAGE.headerType, headerType, 0);
  builder.finish(builder.endObject());
  const metadata = builder.asUint8Array();
  const metadataBytes = padded(metadata.length);
  const message = new Uint8Array(8 + metadataBytes + bodyBytes);
  const view = new DataView(message.buffer);
  view.setUint32(0, CONTINUATION, true);
  view.setInt32(4, metadataBytes, true);
  message.set(metadata, 8);
  return { message, body: message.subarray(8 + metadataBytes) };
}

export interface FramedMessage {
  readonly message: Uint8Array;
  readonly body: Uint8Array;
}

export interface OpenedMessage {
  readonly header: FlatTable;
  readonly body: Uint8Array;
}

/**
 * Splits one message that must be of `headerType` and fill `bytes` exactly. Throws `protocol.batch`.
 * The metadata may have at most `mostMetadataBytes`.
 */
export function openMessage(bytes: Uint8Array, headerType: number, mostMetadataBytes: number): OpenedMessage {
  if (bytes.length < 16) throw badBatch("An Arrow message is too short.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== CONTINUATION) throw badBatch("An Arrow message does not begin with its mark.");
  const metadataBytes = view.getInt32(4, true);
  if (metadataBytes < 8 || metadataBytes % 8 !== 0 || metadataBytes > Math.min(mostMetadataBytes, bytes.length - 8)) {
    throw badBatch("An Arrow message states a wrong metadata length.");
  }
  const message = rootTable(bytes.subarray(8, 8 + metadataBytes));
  if (readInt16(message, MESSAGE.version) !== METADATA_V5) throw badBatch("An Arrow message is not of version V5.");
  if (readUint8(message, MESSAGE.headerType) !== headerType) throw badBatch("An Arrow message is of the wrong kind.");
  // At most none: metadata of a message has no meaning here.
  readTables(message, MESSAGE.customMetadata, 0);
  const header = readTable(message, MESSAGE.header);
  if (header === undefined) throw badBatch("An Arrow message has no header.");
  const body = bytes.subarray(8 + metadataBytes);
  if (readCount(message, MESSAGE.bodyLength) !== body.length)
    throw badBatch("An Arrow message states a wrong body length.");
  return { header, body };
}
