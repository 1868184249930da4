/**
 * One Parquet file out of many: the writer at hand makes whole files in memory, so each row group is written as a file of
 * its own, and here its pages are moved behind those of the ones before and its footer is joined to theirs. A part so
 * grows in blocks, and no more than one row group is ever in memory. https://parquet.apache.org/docs/file-format/
 */
import {
  fieldOf,
  readThrift,
  setField,
  structOf,
  structsOf,
  THRIFT,
  type ThriftStruct,
  writeThrift,
} from "./thrift.ts";

const MAGIC = Buffer.from("PAR1");

// Field ids of parquet.thrift.
const FILE = { schema: 2, rows: 3, rowGroups: 4 };
const GROUP = { columns: 1, rows: 3, fileOffset: 5, ordinal: 7 };
const CHUNK = { fileOffset: 2, metadata: 3 };
/** Offset index, column index and their lengths: they hold file positions of pages and are left out. */
const CHUNK_INDEXES: ReadonlySet<number> = new Set([4, 5, 6, 7]);
const COLUMN = { compressedBytes: 7, dataPage: 9, indexPage: 10, dictionaryPage: 11 };
/** A bloom filter lies outside the pages. */
const COLUMN_BLOOM: ReadonlySet<number> = new Set([14, 15]);
const ELEMENT = { name: 4, logicalType: 10 };
const LOGICAL_UUID = 14;

export interface Stitch {
  /** Takes a whole file; answers the bytes that go into the joined one. */
  add(file: Uint8Array): Uint8Array;
  /** The footer; `uuids` names the columns that are UUIDs. Throws RangeError without any file. */
  end(uuids: readonly string[]): Uint8Array;
}

export function stitchParquet(): Stitch {
  let footer: ThriftStruct | undefined;
  const groups: ThriftStruct[] = [];
  let written = 0;
  let rows = 0n;
  return {
    add(file) {
      const metadata = readFooter(file);
      const start = MAGIC.length;
      let end = start;
      // The magic number stands before the first group only.
      const delta = BigInt(written === 0 ? 0 : written - start);
      for (const group of structsOf(metadata, FILE.rowGroups)) {
        end = Math.max(end, ...structsOf(group, GROUP.columns).map(endOfChunk));
        rows += integerOf(group, GROUP.rows);
        moveGroup(group, delta, groups.length);
        groups.push(group);
      }
      footer ??= metadata;
      const bytes = file.subarray(written === 0 ? 0 : start, end);
      written += bytes.length;
      return bytes;
    },
    end(uuids) {
      if (!footer) throw new RangeError("a Parquet file needs a row group or its schema");
      setField(footer, FILE.rows, THRIFT.i64, rows);
      setField(footer, FILE.rowGroups, THRIFT.list, { of: THRIFT.struct, items: groups });
      markUuids(footer, new Set(uuids));
      const bytes = writeThrift(footer);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([bytes, length, MAGIC]);
    },
  };
}

function readFooter(file: Uint8Array): ThriftStruct {
  const view = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (view.length < 12 || !view.subarray(-4).equals(MAGIC)) throw new RangeError("not a Parquet file");
  const length = view.readUInt32LE(view.length - 8);
  return readThrift(view.subarray(view.length - 8 - length, view.length - 8));
}

const integerOf = (struct: ThriftStruct, id: number): bigint => {
  const value = fieldOf(struct, id)?.value;
  if (typeof value !== "bigint") throw new RangeError(`field ${id} is no integer`);
  return value;
};

function endOfChunk(chunk: ThriftStruct): number {
  const column = structOf(chunk, CHUNK.metadata);
  const dictionary = fieldOf(column, COLUMN.dictionaryPage)?.value;
  const data = integerOf(column, COLUMN.dataPage);
  const start = typeof dictionary === "bigint" && dictionary < data ? dictionary : data;
  return Number(start + integerOf(column, COLUMN.compressedBytes));
}

function moveGroup(group: ThriftStruct, delta: bigint, ordinal: number): void {
  shift(group, GROUP.fileOffset, delta);
  if (ordinal <= 32_767) setField(group, GROUP.ordinal, THRIFT.i16, BigInt(ordinal));
  else drop(group, new Set([GROUP.ordinal]));
  for (const chunk of structsOf(group, GROUP.columns)) {
    // Deprecated, and 0 by recent writers.
    if (integerOf(chunk, CHUNK.fileOffset) !== 0n) shift(chunk, CHUNK.fileOffset, delta);
    drop(chunk, CHUNK_INDEXES);
    const column = structOf(chunk, CHUNK.metadata);
    for (const id of [COLUMN.dataPage, COLUMN.indexPage, COLUMN.dictionaryPage]) shift(column, id, delta);
    drop(column, COLUMN_BLOOM);
  }
}

function shift(struct: ThriftStruct, id: number, delta: bigint): void {
  const field = fieldOf(struct, id);
  if (typeof field?.value === "bigint") field.value += delta;
}

function drop(struct: ThriftStruct, ids: ReadonlySet<number>): void {
  for (let index = struct.length - 1; index >= 0; index--) if (ids.has(struct[index]!.id)) struct.splice(index, 1);
}

/** The writer takes Arrow's UUID extension for plain bytes; readers shall see a UUID. Nested columns are left alone. */
function markUuids(footer: ThriftStruct, uuids: ReadonlySet<string>): void {
  for (const element of structsOf(footer, FILE.schema)) {
    const name = fieldOf(element, ELEMENT.name)?.value;
    if (!(name instanceof Uint8Array) || !uuids.has(Buffer.from(name).toString())) continue;
    const uuid: ThriftStruct = [{ id: LOGICAL_UUID, type: THRIFT.struct, value: [] }];
    setField(element, ELEMENT.logicalType, THRIFT.struct, uuid);
  }
}
