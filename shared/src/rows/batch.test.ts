import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drainBatch, encodeSchema } from "./arrow.ts";
import { checkBatch } from "./check.ts";
import { createBatch } from "./columns.ts";
import { jsonRows } from "./test-json-rows.ts";
import type { Column, ColumnType } from "./types.ts";

const LIMITS = { cellBytes: 1000, rowBytes: 2000 };
const int = (bits: 8 | 64): ColumnType => ({ kind: "int", bits, signed: true });
const column = (type: ColumnType, name = "c", nullable = true): Column => ({ name, type, nullable, source: type.kind });

describe("a batch", () => {
  const columns = [
    column(int(64), "id", false),
    column({ kind: "bool" }, "flag"),
    column({ kind: "utf8" }, "text"),
    column({ kind: "timestampOffset", unit: "ns" }, "at"),
  ];
  const fill = (batch: ReturnType<typeof createBatch>, from: number, to: number, filler = ""): void => {
    const [id, flag, text, at] = batch.columns;
    for (let row = from; row < to; row++) {
      id!.appendInt(row);
      if (row % 3 === 0) flag!.appendNull();
      else flag!.appendBool(row % 2 === 0);
      if (row % 5 === 0) text!.appendNull();
      else text!.appendString(`${row}${filler}`);
      if (row % 7 === 0) at!.appendNull();
      else at!.appendTimestampOffset(row, row, row % 800);
      batch.rowDone();
    }
  };
  const limits = { cellBytes: 20 << 20, rowBytes: 21 << 20 };
  const rowsOf = (messages: ReturnType<typeof drainBatch>) =>
    messages.map(({ message }) => [
      ...jsonRows(
        columns.map(({ name }) => name),
        checkBatch(message, columns, limits).columns,
      ),
    ]);

  it("is filled, drained and filled again without a trace of earlier rows", () => {
    const reused = createBatch(columns, limits);
    fill(reused, 0, 1500);
    assert.equal(drainBatch(reused).length, 1);
    assert.equal(reused.length, 0);
    assert.equal(reused.byteLength, 0);
    fill(reused, 3, 900);
    const fresh = createBatch(columns, limits);
    fill(fresh, 3, 900);
    assert.deepEqual(drainBatch(reused), drainBatch(fresh));
  });
  it("becomes two messages when its last row takes it beyond 16 MiB", () => {
    for (const last of [10, 11, 12, 13, 14, 15, 21]) {
      const batch = createBatch(columns, limits);
      fill(batch, 1, last);
      fill(batch, last + (last % 5 === 0 ? 1 : 0), last + (last % 5 === 0 ? 2 : 1), "x".repeat(17 << 20));
      assert.ok(batch.overflows);
      const [head, tail] = rowsOf(drainBatch(batch));
      assert.equal(head?.length, last - 1);
      const whole = createBatch(columns, { ...limits });
      fill(whole, last + (last % 5 === 0 ? 1 : 0), last + (last % 5 === 0 ? 2 : 1), "x".repeat(17 << 20));
      assert.deepEqual(tail, rowsOf(drainBatch(whole))[0]);
      fill(batch, 1, 4);
      assert.deepEqual(
        rowsOf(drainBatch(batch))[0]?.map(({ id }) => id),
        ["1", "2", "3"],
      );
    }
  });
  it("says when it is full, and refuses a row beyond 16 MiB", () => {
    const batch = createBatch(columns, { ...limits, batchBytes: 1000 });
    fill(batch, 1, 4);
    assert.ok(!batch.full);
    fill(batch, 4, 5, "x".repeat(1000));
    assert.ok(batch.full);
    fill(batch, 6, 7, "x".repeat(17 << 20));
    assert.throws(() => fill(batch, 7, 8), TypeError);
  });
  it("takes the last row's key", () => {
    const batch = createBatch(columns, limits);
    fill(batch, 1, 12);
    assert.deepEqual(batch.takeLastKey(["text", "id", "flag"]), ["11", "11", false]);
    assert.throws(() => batch.takeLastKey(["other"]), TypeError);
    batch.clear();
    assert.throws(() => batch.takeLastKey(["id"]), TypeError);
  });
  it("has at most 4,096 columns, each with a name of its own", () => {
    const many = Array.from({ length: 4097 }, (_, index) => column(int(8), `c${index}`));
    assert.throws(() => createBatch(many, LIMITS), { code: "limit.bytes" });
    assert.throws(() => encodeSchema([column(int(8)), column(int(8))]), { code: "value.not_exact" });
  });
});
