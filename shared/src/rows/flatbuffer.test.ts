import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBool, readInt32, readTables, readText, readVector, rootTable } from "./flatbuffer.ts";

/**
 * A buffer by hand: root offset, vtable, table, then whatever its fields point at. `vtable` holds the offsets of the
 * fields in the table, from slot 0 on; `table` its int32 fields, after the one that leads back to the vtable.
 */
function flat(parts: {
  vtable: number[];
  table: number[];
  rest?: readonly number[];
  sizes?: [number, number];
}): Uint8Array {
  const { vtable, table, rest = [], sizes = [4 + vtable.length * 2, 4 + table.length * 4] } = parts;
  const tableAt = 4 + Math.ceil((4 + vtable.length * 2) / 4) * 4;
  const bytes = new Uint8Array(tableAt + 4 + table.length * 4 + rest.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, tableAt, true);
  for (const [index, value] of [...sizes, ...vtable].entries()) view.setUint16(4 + index * 2, value, true);
  view.setInt32(tableAt, tableAt - 4, true);
  for (const [index, value] of table.entries()) view.setInt32(tableAt + 4 + index * 4, value, true);
  bytes.set(rest, tableAt + 4 + table.length * 4);
  return bytes;
}
const refuses = (read: () => unknown, says: RegExp): void =>
  assert.throws(
    read,
    (error: { code: string; message: string }) => error.code === "protocol.batch" && says.test(error.message),
  );
/** A table of one field that points at `rest`, right after it. */
const pointing = (rest: readonly number[]) => rootTable(flat({ vtable: [4], table: [4], rest }));

describe("a FlatBuffer", () => {
  it("is read when it is well formed", () => {
    assert.equal(readInt32(rootTable(flat({ vtable: [4], table: [-7] })), 0), -7);
    assert.equal(readInt32(rootTable(flat({ vtable: [0], table: [-7] })), 0, 5), 5);
    assert.equal(readInt32(rootTable(flat({ vtable: [], table: [] })), 9, 5), 5);
    assert.equal(readText(pointing([2, 0, 0, 0, 0xc3, 0xa9, 0, 0]), 0, 10), "é");
  });
  it("is refused with a vtable or a table of an impossible size", () => {
    refuses(() => rootTable(flat({ vtable: [], table: [1], sizes: [2, 8] })), /malformed/);
    refuses(() => rootTable(flat({ vtable: [4], table: [1], sizes: [5, 8] })), /malformed/);
    refuses(() => rootTable(flat({ vtable: [4], table: [1], sizes: [6, 2] })), /malformed/);
    refuses(() => rootTable(flat({ vtable: [4], table: [1], sizes: [6, 12] })), /outside its message/);
    refuses(() => rootTable(flat({ vtable: [4], table: [1], sizes: [200, 8] })), /outside its message/);
  });
  it("is refused with a field outside its table or not aligned", () => {
    refuses(() => readInt32(rootTable(flat({ vtable: [8], table: [1], rest: [0, 0, 0, 0] })), 0), /outside its table/);
    refuses(() => readInt32(rootTable(flat({ vtable: [2], table: [1] })), 0), /outside its table/);
    refuses(() => readInt32(rootTable(flat({ vtable: [6], table: [1, 1] })), 0), /outside its message/);
  });
  it("is refused with a bool of 2", () => {
    const bool = (value: number) => readBool(rootTable(flat({ vtable: [4], table: [value] })), 0);
    assert.deepEqual([bool(0), bool(1)], [false, true]);
    refuses(() => bool(2), /neither 0 nor 1/);
  });
  it("is refused with a vector outside it", () => {
    refuses(() => readVector(pointing([2, 0, 0, 0, 1, 1, 1, 1]), 0, 4, 4, 10), /outside its message/);
    refuses(() => readVector(pointing([255, 255, 255, 255]), 0, 4, 4, 10), /10 is the most/);
    refuses(() => readVector(rootTable(flat({ vtable: [4], table: [-8] })), 0, 4, 4, 10), /outside its message/);
    refuses(() => readTables(pointing([1, 0, 0, 0, 0, 0, 0, 127]), 0, 10), /outside its message/);
  });
  it("is refused with text that is not ended, not UTF-8 or too long", () => {
    refuses(() => readText(pointing([2, 0, 0, 0, 97, 97, 97, 0]), 0, 10), /zero byte/);
    refuses(() => readText(pointing([4, 0, 0, 0, 97, 97, 97, 97]), 0, 10), /outside its message/);
    refuses(() => readText(pointing([2, 0, 0, 0, 0xc3, 0x28, 0, 0]), 0, 10), /not UTF-8/);
    refuses(() => readText(pointing([2, 0, 0, 0, 97, 97, 0, 0]), 0, 1), /1 is the most/);
  });
});
