/** Reads `.arrows` parts with apache-arrow, an independent reader, as canonical text: one line a row, exact. */
import { readFileSync } from "node:fs";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  CompressionType,
  compressionRegistry,
  type Data,
  type FixedSizeBinary,
  type RecordBatch,
  Type,
  tableFromIPC,
} from "apache-arrow";

compressionRegistry.set(CompressionType.ZSTD, {
  encode: (bytes) => zstdCompressSync(bytes),
  decode: (bytes) => zstdDecompressSync(bytes),
});

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Rows as arrays of texts, null for NULL. Integers, decimals and times are the numbers as stored, in decimal. */
export function readArrowRows(file: string): { columns: string[]; rows: (string | null)[][] } {
  const table = tableFromIPC(readFileSync(file));
  return { columns: table.schema.fields.map((field) => field.name), rows: table.batches.flatMap(rowsOf) };
}

function rowsOf(batch: RecordBatch): (string | null)[][] {
  const columns = batch.data.children.map(cellReader);
  return Array.from({ length: batch.numRows }, (_, row) => columns.map((cell) => cell(row)));
}

function cellReader(data: Data): (row: number) => string | null {
  const value = valueReader(data);
  return (row) => (data.getValid(row) ? value(row) : null);
}

/** Straight from the buffers: the library's own getters turn nanoseconds and decimals into doubles. */
function valueReader(data: Data): (row: number) => string {
  const { values, valueOffsets: offsets, children, type } = data;
  const bytesAt = (row: number): Uint8Array => values.subarray(offsets[row], offsets[row + 1]);
  switch (type.typeId) {
    case Type.Bool:
      return (row) => String((values[row >> 3]! >> (row & 7)) & 1);
    case Type.Utf8:
      return (row) => decoder.decode(bytesAt(row));
    case Type.Binary:
      return (row) => Buffer.from(bytesAt(row)).toString("hex");
    case Type.FixedSizeBinary: {
      const width = (type as FixedSizeBinary).byteWidth;
      return (row) => Buffer.from(values.subarray(row * width, (row + 1) * width)).toString("hex");
    }
    case Type.Decimal: {
      const words = new BigInt64Array(values.buffer, values.byteOffset, values.byteLength / 8);
      return (row) => String((words[2 * row + 1]! << 64n) | BigInt.asUintN(64, words[2 * row]!));
    }
    case Type.Struct: {
      const fields = children.map(cellReader);
      return (row) => fields.map((field) => field(row)).join("|");
    }
    default:
      return (row) => String(values[row]);
  }
}
