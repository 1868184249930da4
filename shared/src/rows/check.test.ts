import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { SallyportError } from "../protocol/errors.ts";
import { assembleBatch, encodeBatch, encodeViews, STORED } from "./arrow.ts";
import { checkBatch } from "./check.ts";
import { createBatch } from "./columns.ts";
import { readTable, readVector } from "./flatbuffer.ts";
import { HEADER, openMessage } from "./ipc.ts";
import type { ColumnView } from "./layout.ts";
import type { Column, ColumnType } from "./types.ts";

const LIMITS = { cellBytes: 500, rowBytes: 1000 };
const ROWS = 100;

const column = (name: string, type: ColumnType, nullable = true): Column => ({ name, type, nullable, source: "" });
const ID = column("id", { kind: "int", bits: 64, signed: true }, false);
const TEXT = column("text", { kind: "utf8" });
const AT = column("at", { kind: "timestampOffset", unit: "us" });
const COLUMNS = [ID, TEXT, AT];
/** Where each column's buffers begin: id 0 validity, 1 data; text 2, 3 offsets, 4 data; at 5 to 9. */
const BUFFER = { idData: 1, textOffsets: 3, textData: 4, atInstant: 7 } as const;
const NODE = { id: 0, text: 1, at: 2, instant: 3 } as const;

function goodMessage(): Uint8Array {
  const batch = createBatch(COLUMNS, LIMITS);
  const [id, text, at] = batch.columns;
  for (let row = 0; row < ROWS; row++) {
    id!.appendInt(row);
    if (row % 10 === 0) text!.appendNull();
    else text!.appendString(`row ${row}`);
    at!.appendTimestampOffset(row, 0, 60);
    batch.rowDone();
  }
  return encodeBatch(batch);
}

/** Positions of the header's vectors in a message, to change them in place. */
function vectors(message: Uint8Array) {
  const { header, body } = openMessage(message, HEADER.recordBatch, 65_536);
  const view = header.buffer;
  const nodes = readVector(header, 1, 16, 8, 100)!;
  const buffers = readVector(header, 2, 16, 8, 100)!;
  return {
    body,
    node: (index: number, change: { length?: number; nulls?: number }) => {
      if (change.length !== undefined) view.setBigInt64(nodes.position + index * 16, BigInt(change.length), true);
      if (change.nulls !== undefined) view.setBigInt64(nodes.position + index * 16 + 8, BigInt(change.nulls), true);
    },
    buffer: (index: number) => {
      const at = buffers.position + index * 16;
      return {
        offset: Number(view.getBigInt64(at, true)),
        length: Number(view.getBigInt64(at + 8, true)),
        set: (offset: number, length: number) => {
          view.setBigInt64(at, BigInt(offset), true);
          view.setBigInt64(at + 8, BigInt(length), true);
        },
      };
    },
    nodeCount: (count: number) => view.setUint32(nodes.position - 4, count, true),
    bufferCount: (count: number) => view.setUint32(buffers.position - 4, count, true),
    compression: readTable(header, 3),
  };
}

const refused = (message: Uint8Array, says: RegExp, columns: readonly Column[] = COLUMNS, limits = LIMITS): void => {
  assert.throws(
    () => checkBatch(message, columns, limits),
    (error) => error instanceof SallyportError && error.code === "protocol.batch" && says.test(error.message),
  );
};

function refusedAfter(change: (message: Uint8Array, parts: ReturnType<typeof vectors>) => void, says: RegExp): void {
  const message = goodMessage();
  change(message, vectors(message));
  refused(message, says);
}

const prefixOf = (message: Uint8Array, parts: ReturnType<typeof vectors>, index: number): DataView => {
  const start = parts.body.byteOffset + parts.buffer(index).offset;
  return new DataView(message.buffer, start, 8);
};

it("a good batch passes", () => {
  const message = goodMessage();
  const checked = checkBatch(message, COLUMNS, LIMITS);
  assert.equal(checked.rows, ROWS);
  assert.equal(checked.columns[1]?.nullCount, 10);
  // Wherever it lies in memory.
  const shifted = Buffer.concat([Buffer.alloc(3), message]).subarray(3);
  assert.deepEqual(checkBatch(shifted, COLUMNS, LIMITS).columns, checked.columns);
});

describe("a message is refused", () => {
  it("when it is too short", () => refused(goodMessage().subarray(0, 15), /too short/));
  it("when its mark is missing", () => refusedAfter((message) => message.fill(0, 0, 4), /mark/));
  it("when its metadata is longer than itself", () =>
    refusedAfter((message) => message.set([0xf8, 0xff, 0xff, 0x7f], 4), /metadata length/));
  it("when its metadata has a negative length", () =>
    refusedAfter((message) => message.set([0xf8, 0xff, 0xff, 0xff], 4), /metadata length/));
  it("when its metadata has no length", () => refusedAfter((message) => message.fill(0, 4, 8), /metadata length/));
  it("when its body is cut", () => {
    const message = goodMessage();
    refused(message.subarray(0, message.length - 8), /body length/);
  });
  it("when something follows its body", () => refused(Buffer.concat([goodMessage(), Buffer.alloc(8)]), /body length/));
  it("when its root points outside", () => refusedAfter((message) => message.fill(0xff, 8, 12), /outside its message/));
  it("when it is a schema instead of a batch", () => {
    const message = goodMessage();
    assert.throws(() => openMessage(message, HEADER.schema, 65_536), { code: "protocol.batch" });
  });
});

describe("a header is refused", () => {
  it("for columns of another schema", () => {
    refused(goodMessage(), /5 elements/, [ID, TEXT]);
    refused(goodMessage(), /other buffers/, [ID, TEXT, TEXT, TEXT, TEXT]);
    refused(goodMessage(), /wrong size/, [column("id", { kind: "int", bits: 32, signed: true }), TEXT, AT]);
  });
  it("for a count of nodes or buffers that is not the schema's", () => {
    refusedAfter((_, parts) => parts.nodeCount(4), /other nodes/);
    refusedAfter((_, parts) => parts.nodeCount(0xffff_ffff), /vector has/);
    refusedAfter((_, parts) => parts.bufferCount(9), /other buffers/);
  });
  it("for a column of another length than the batch", () => {
    refusedAfter((_, parts) => parts.node(NODE.id, { length: ROWS - 1 }), /another length/);
    refusedAfter((_, parts) => parts.node(NODE.text, { length: 2 ** 40 }), /another length/);
  });
  it("for a child of another length than its struct", () =>
    refusedAfter((_, parts) => parts.node(NODE.instant, { length: ROWS + 1 }), /another length/));
  it("for a negative length", () => refusedAfter((_, parts) => parts.node(NODE.id, { length: -1 }), /negative/));
  it("for NULLs in a column without NULLs, in a struct's child, or more than rows", () => {
    refusedAfter((_, parts) => parts.node(NODE.id, { nulls: 1 }), /more NULLs/);
    refusedAfter((_, parts) => parts.node(NODE.instant, { nulls: 1 }), /more NULLs/);
    refusedAfter((_, parts) => parts.node(NODE.text, { nulls: ROWS + 1 }), /more NULLs/);
  });
  it("for NULLs without a validity bitmap", () =>
    refusedAfter((_, parts) => parts.node(NODE.at, { nulls: 1 }), /validity bitmap/));
  it("for no rows", () => {
    const empty = encodeViews([{ ...viewOf(ID, new Uint8Array(0)), length: 0 }], "zstd");
    refused(empty, /no rows/, [ID]);
  });
  it("for a body that is not compressed", () =>
    refused(encodeViews([viewOf(ID, new Uint8Array(8))], "plain"), /not compressed/, [ID]));
  it("for another codec or method of compression", () => {
    refusedAfter((_, { compression }) => {
      const table = compression!;
      // The codec is the table's only field: zero stands for LZ4.
      table.buffer.setUint8(table.position + table.tableBytes - 1, 0);
      for (let at = 4; at < table.tableBytes; at++) table.buffer.setUint8(table.position + at, 0);
    }, /zstd/);
  });
  it("for buffers outside the body", () => {
    refusedAfter((_, parts) => {
      const last = parts.buffer(9);
      last.set(last.offset, parts.body.length - last.offset + 1);
    }, /outside the body/);
    refusedAfter((_, parts) => parts.buffer(BUFFER.idData).set(2 ** 52, 8), /outside the body/);
    refusedAfter((_, parts) => parts.buffer(BUFFER.idData).set(0, 2 ** 52), /outside the body/);
  });
  it("for a negative or huge offset", () => {
    refusedAfter((_, parts) => parts.buffer(BUFFER.idData).set(-8, 8), /negative/);
    refusedAfter((_, parts) => parts.buffer(BUFFER.idData).set(0, -8), /negative/);
  });
  it("for buffers over one another, out of order or not aligned", () => {
    refusedAfter((_, parts) => parts.buffer(BUFFER.textData).set(0, 16), /over another/);
    refusedAfter((_, parts) => {
      const { offset, length, set } = parts.buffer(BUFFER.textData);
      set(offset + 4, length - 4);
    }, /outside the body/);
  });
  it("for bytes that belong to no buffer", () => {
    const spare = { prefix: undefined, data: new Uint8Array(64) };
    const parts = { rows: 1, nodes: [[1, 0]], compressed: true } as const;
    const nothing = { prefix: undefined, data: new Uint8Array(0) };
    const value = { prefix: STORED, data: new Uint8Array(8) };
    // Three buffers are written, two of them are shown.
    const before = assembleBatch({ ...parts, buffers: [nothing, spare, value] });
    const { offset, length } = vectors(before).buffer(2);
    vectors(before).buffer(1).set(offset, length);
    vectors(before).bufferCount(2);
    refused(before, /gap/, [ID]);
    const after = assembleBatch({ ...parts, buffers: [nothing, value, spare] });
    vectors(after).bufferCount(2);
    refused(after, /goes on/, [ID]);
  });
  it("for a buffer too short for its prefix", () =>
    refusedAfter((_, parts) => {
      const { offset, set } = parts.buffer(BUFFER.idData);
      set(offset, 7);
    }, /too short for its length prefix/));
  it("for a prefix that is negative, huge, or zero before data", () => {
    for (const length of [-2n, 2n ** 40n, 2n ** 63n - 1n]) {
      refusedAfter((m, parts) => prefixOf(m, parts, BUFFER.idData).setBigInt64(0, length, true), /impossible/);
    }
    refusedAfter((m, parts) => prefixOf(m, parts, BUFFER.idData).setBigInt64(0, 0n, true), /not empty/);
  });
  it("for data of another size than its rows need", () =>
    refusedAfter((m, parts) => prefixOf(m, parts, BUFFER.idData).setBigInt64(0, 808n, true), /wrong size/));
  it("for compressed data marked as stored", () =>
    refusedAfter((m, parts) => prefixOf(m, parts, BUFFER.idData).setBigInt64(0, STORED, true), /wrong size/));
});

const viewOf = ({ type }: Column, data: Uint8Array, length = 1): ColumnView => ({
  type,
  length,
  nullCount: 0,
  validity: undefined,
  offsets: undefined,
  data,
  offsetMinutes: undefined,
});

function textView(text: string | Uint8Array, rows: number, offsets?: readonly number[]): ColumnView {
  const data = typeof text === "string" ? Buffer.from(text) : text;
  const even = Array.from({ length: rows + 1 }, (_, row) => Math.floor((data.length * row) / rows));
  return { ...viewOf(TEXT, data, rows), offsets: Int32Array.from(offsets ?? even) };
}

describe("decompression is refused", () => {
  /** One text of which the buffer says `bytes` and holds `content`. */
  const withContent = (content: Uint8Array, bytes: number): Uint8Array =>
    assembleBatch({
      rows: 1,
      nodes: [[1, 0]],
      compressed: true,
      buffers: [
        { prefix: undefined, data: new Uint8Array(0) },
        { prefix: STORED, data: new Uint8Array(Int32Array.of(0, bytes).buffer) },
        { prefix: BigInt(bytes), data: content },
      ],
    });
  const large = { cellBytes: 64 << 20, rowBytes: 1000 };

  it("beyond 16 MiB in several rows", () => {
    const rows = 2;
    const message = encodeViews([textView(new Uint8Array((16 << 20) + 1), rows)], "zstd");
    refused(message, /more than 16777216 bytes/, [TEXT], { cellBytes: 64 << 20, rowBytes: 64 << 20 });
  });
  it("beyond rowBytes and 1 MiB in one row", () => {
    const message = encodeViews([textView(new Uint8Array((18 << 20) + 1), 1)], "zstd");
    const limits = { cellBytes: 64 << 20, rowBytes: 17 << 20 };
    refused(message, /more than 18874368 bytes/, [TEXT], limits);
    checkBatch(message, [TEXT], { ...limits, rowBytes: 19 << 20 });
  });
  it("for a bomb, whatever length it states", () => {
    const bomb = zstdCompressSync(new Uint8Array(64 << 20));
    refused(withContent(bomb, 900), /one zstd frame/, [TEXT], large);
    refused(withContent(bomb, 64 << 20), /more than 16777216 bytes/, [TEXT], large);
  });
  it("for a frame that wants a window larger than its content", () => {
    // Without its content's size a frame states its window in the byte after the descriptor (RFC 8878, 3.1.1.1.2).
    const frame = zstdCompressSync(Buffer.alloc(900, 120), { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
    const roomy = { ...large, cellBytes: 900 };
    assert.equal(checkBatch(withContent(frame, 900), [TEXT], roomy).rows, 1);
    assert.equal(frame[4], 0);
    frame[5] = (27 - 10) << 3;
    refused(withContent(frame, 900), /one zstd frame/, [TEXT], roomy);
  });
  it("for a frame with another length, a second frame after it, or no frame", () => {
    const content = zstdCompressSync(Buffer.alloc(900, 120));
    const replace = (bytes: Uint8Array) => refused(withContent(bytes, 900), /one zstd frame/, [TEXT], large);
    replace(zstdCompressSync(Buffer.alloc(899, 120)));
    replace(zstdCompressSync(Buffer.alloc(901, 120)));
    replace(Buffer.concat([content, zstdCompressSync(new Uint8Array(10))]));
    replace(Buffer.concat([content, Buffer.alloc(1)]));
    replace(content.subarray(0, content.length - 1));
    replace(Buffer.from("no zstd frame at all"));
  });
});

describe("values are refused", () => {
  it("for a null count that is not the bitmap's", () => {
    const view = { ...viewOf(TEXT, new Uint8Array(0), 10), offsets: new Int32Array(11) };
    for (const [bits, nulls] of [
      [[0xff, 0xff], 1],
      [[0, 0], 9],
      [[0x00, 0xfc], 9],
    ] as const) {
      const message = encodeViews([{ ...view, validity: Uint8Array.from(bits), nullCount: nulls }], "zstd");
      refused(message, /count of NULLs/, [TEXT]);
    }
    const right = encodeViews([{ ...view, validity: Uint8Array.of(0xff, 0xfd), nullCount: 1 }], "zstd");
    assert.equal(checkBatch(right, [TEXT], LIMITS).columns[0]?.nullCount, 1);
  });
  it("for positions that go backwards, begin late, end early or late", () => {
    refused(encodeViews([textView("abcdef", 3, [0, 4, 2, 6])], "zstd"), /backwards/, [TEXT]);
    refused(encodeViews([textView("abcdef", 3, [0, -1, 2, 6])], "zstd"), /backwards/, [TEXT]);
    refused(encodeViews([textView("abcdef", 3, [1, 2, 3, 6])], "zstd"), /span/, [TEXT]);
    refused(encodeViews([textView("abcdef", 3, [0, 2, 3, 5])], "zstd"), /span/, [TEXT]);
    refused(encodeViews([textView("abcdef", 3, [0, 2, 3, 7])], "zstd"), /span/, [TEXT]);
    refused(encodeViews([textView("abcdef", 3, [0, 2, 2 ** 31 - 1, 6])], "zstd"), /backwards|more than/, [TEXT]);
  });
  it("for text that is not UTF-8, or cut within a character", () => {
    refused(encodeViews([textView(Buffer.from([0xc3, 0x28]), 1)], "zstd"), /UTF-8/, [TEXT]);
    refused(encodeViews([textView(Buffer.from("aéa"), 2, [0, 2, 4])], "zstd"), /UTF-8/, [TEXT]);
  });
  it("for cells and rows above the receiver's own limits", () => {
    refused(encodeViews([textView("x".repeat(501), 1)], "zstd"), /cell of more than 500/, [TEXT]);
    const three = [1, 2, 3].map((index) => column(`t${index}`, { kind: "utf8" }));
    const wide = three.map(() => textView("x".repeat(1000), 2));
    refused(encodeViews(wide, "zstd"), /row has more than 1000/, three);
  });
  it("for decimals beyond their precision", () => {
    const money = column("money", { kind: "decimal", precision: 2, scale: 1 });
    const decimalView = (value: bigint) => {
      const data = Buffer.alloc(16);
      data.writeBigUInt64LE(BigInt.asUintN(64, value), 0);
      data.writeBigInt64LE(value >> 64n, 8);
      return encodeViews([viewOf(money, data)], "zstd");
    };
    for (const value of [100n, -100n, 2n ** 64n, -(2n ** 64n), -(2n ** 127n), 2n ** 127n - 1n]) {
      refused(decimalView(value), /more than 2 digits/, [money]);
    }
    for (const value of [0n, 99n, -99n]) assert.equal(checkBatch(decimalView(value), [money], LIMITS).rows, 1);
  });
  it("for times outside a day and offsets beyond 14 hours", () => {
    const time = column("time", { kind: "time" });
    for (const value of [-1n, 86_400_000_000_000n]) {
      const data = new Uint8Array(BigInt64Array.of(value).buffer);
      refused(encodeViews([viewOf(time, data)], "zstd"), /outside a day/, [time]);
    }
    const view = { ...viewOf(AT, new Uint8Array(8)), offsetMinutes: Int16Array.of(841) };
    refused(encodeViews([view], "zstd"), /14 hours/, [AT]);
  });
});
