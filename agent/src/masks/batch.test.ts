import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { drainBatch } from "@sallyport/shared/rows/arrow.ts";
import { checkBatch } from "@sallyport/shared/rows/check.ts";
import type { ColumnBuffer } from "@sallyport/shared/rows/columns.ts";
import { jsonRows } from "@sallyport/shared/rows/test-json-rows.ts";
import type { Column, ColumnType } from "@sallyport/shared/rows/types.ts";
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { createMaskedBatch, type MaskedBatch } from "./batch.ts";

const KEY = Buffer.alloc(32, 7);
const hmac = (value: string | Uint8Array): string => createHmac("sha256", KEY).update(value).digest("base64url");
const SIZES = { cellBytes: DEFAULT_LIMITS.cellBytes, rowBytes: DEFAULT_LIMITS.rowBytes };

const column = (name: string, type: ColumnType, source = "x", nullable = true): Column => ({
  name,
  type,
  source,
  nullable,
});
const UTF8: ColumnType = { kind: "utf8" };
const INT: ColumnType = { kind: "int", bits: 32, signed: true };

const text = (value: string) => (into: ColumnBuffer) => into.appendString(value);
const nothing = (into: ColumnBuffer): void => into.appendNull();

/** What the other side gets of these rows, after its own checks. */
function sent(made: MaskedBatch, rows: readonly (readonly ((into: ColumnBuffer) => void)[])[]) {
  for (const row of rows) {
    for (const [at, append] of row.entries()) append(made.batch.columns[at]!);
    made.batch.rowDone();
  }
  return received(made);
}

const received = (made: MaskedBatch) =>
  drainBatch(made.drained).flatMap(({ message }) => [
    ...jsonRows(
      made.columns.map(({ name }) => name),
      checkBatch(message, made.columns, DEFAULT_LIMITS).columns,
    ),
  ]);

const begin = (columns: Column[], masks: Masks, key: Uint8Array | undefined = KEY): MaskedBatch =>
  createMaskedBatch(columns, { masks, key }, SIZES);

test("each mask gives its value, in its type; NULL stays NULL; other columns stay as they were read", () => {
  const made = begin(
    [
      column("Id", INT, "int", false),
      column("Email", UTF8, "nvarchar(100)"),
      column("Born", { kind: "date" }, "date"),
      column("Iban", UTF8, "varchar(34)"),
      column("Salary", { kind: "decimal", precision: 18, scale: 2 }, "decimal(18,2)", false),
      column("Note", UTF8, "nvarchar(max)"),
    ],
    { email: "hash", Born: "year", IBAN: "last4", Salary: "null", Note: { fixed: "withheld" } },
  );
  const rows = sent(made, [
    [
      (into) => into.appendInt(1),
      text("åse@example.no"),
      (into) => into.appendDate(7305),
      text("NO9386011117947"),
      (into) => into.appendInt64(123, 0),
      text("secret"),
    ],
    [(into) => into.appendInt(2), nothing, nothing, nothing, (into) => into.appendInt64(5, 0), nothing],
  ]);
  assert.deepEqual(rows, [
    { Id: 1, Email: hmac("åse@example.no"), Born: 1990, Iban: "7947", Salary: null, Note: "withheld" },
    { Id: 2, Email: null, Born: null, Iban: null, Salary: null, Note: null },
  ]);
  assert.deepEqual(
    made.columns.map(({ type, nullable, metadata }) => [type.kind, nullable, metadata?.masked]),
    [
      ["int", false, undefined],
      ["utf8", true, "hash"],
      ["int", true, "year"],
      ["utf8", true, "last4"],
      ["decimal", true, "null"],
      ["utf8", true, "fixed"],
    ],
  );
});

test("a batch that is filled again holds nothing of the one before", () => {
  const made = begin([column("Name", UTF8), column("Pin", UTF8)], { Name: "hash", Pin: "last4" });
  const first = sent(made, [
    [text("a"), text("123456")],
    [text("b"), text("654321")],
  ]);
  assert.equal(first.length, 2);
  assert.deepEqual(sent(made, [[nothing, text("99998888")]]), [{ Name: null, Pin: "8888" }]);
  assert.deepEqual(received(made), []);
});

test("hash: a text by its UTF-8, binary by its bytes, anything else by its exact text", () => {
  const uuid = Buffer.from("00112233445566778899aabbccddeeff", "hex");
  const cases: [ColumnType, (into: ColumnBuffer) => void, string | Uint8Array][] = [
    [INT, (into) => into.appendInt(-42), "-42"],
    [{ kind: "int", bits: 64, signed: true }, (into) => into.appendInt64(1, 1), "4294967297"],
    [{ kind: "decimal", precision: 10, scale: 4 }, (into) => into.appendInt64(15_000, 0), "1.5000"],
    [{ kind: "binary" }, (into) => into.appendBytes(Buffer.from([0, 255, 7]), 0, 3), Buffer.from([0, 255, 7])],
    [{ kind: "fixedBinary", bytes: 2 }, (into) => into.appendBytes(Buffer.from([1, 2]), 0, 2), Buffer.from([1, 2])],
    [
      { kind: "fixedBinary", bytes: 16, uuid: true },
      (into) => into.appendBytes(uuid, 0, 16),
      "00112233-4455-6677-8899-aabbccddeeff",
    ],
    [{ kind: "bool" }, (into) => into.appendBool(true), "true"],
    [{ kind: "date" }, (into) => into.appendDate(0), "1970-01-01"],
    [UTF8, text(""), ""],
    [
      { kind: "list", of: UTF8 },
      (into) => {
        for (const item of ["a", "b,c"]) into.items!.appendString(item);
        into.appendList();
      },
      '["a","b,c"]',
    ],
  ];
  for (const [type, append, hashed] of cases) {
    const made = begin([column("C", type)], { C: "hash" });
    assert.deepEqual(sent(made, [[nothing], [append]]), [{ C: null }, { C: hmac(hashed) }], type.kind);
  }
});

test("last4 shows four characters of more, and nothing of four or fewer", () => {
  const made = begin([column("C", UTF8, "nchar(20)")], { C: "last4" });
  const shown = sent(
    made,
    ["12345", "1234", "", "12345     ", "    ", "\u{1F600}1\u{1F600}ø9", "æøå12"].map((value) => [text(value)]),
  );
  assert.deepEqual(
    shown.map(({ C }) => C),
    ["2345", "", "", "2345", "", "1\u{1F600}ø9", "øå12"],
  );
  const numbers = begin([column("C", INT, "int")], { C: "last4" });
  const values = [-12_345, 1234, -1234, 0].map((value) => [(into: ColumnBuffer) => into.appendInt(value)]);
  assert.deepEqual(
    sent(numbers, values).map(({ C }) => C),
    ["2345", "", "", ""],
  );
});

test("year of a time: as its own clock shows it, also where it travels as text", () => {
  const offset = begin([column("C", { kind: "timestampOffset", unit: "us" })], { C: "year" });
  // 2000-01-01T00:30+01:00 is still 1999 in UTC.
  const beforeMidnight = [(into: ColumnBuffer) => into.appendTimestampOffset(10_956, 23.5 * 3600 * 1e7, 60)];
  assert.deepEqual(sent(offset, [beforeMidnight]), [{ C: 2000 }]);
  const asText = begin([column("C", UTF8, "datetime2(7)")], { C: "year" });
  assert.deepEqual(sent(asText, [[(into) => into.appendTimestamp(-719_162, 0)]]), [{ C: 1 }]);
});

test("a mask that can make nothing of a type refuses the request; it never lets the value through", () => {
  const misfits: [ColumnType, Masks[string], string?][] = [
    [UTF8, "year"],
    [INT, "year"],
    [{ kind: "time" }, "year"],
    [{ kind: "date" }, "last4"],
    [{ kind: "decimal", precision: 9, scale: 2 }, "last4"],
    [{ kind: "binary" }, "last4"],
    [UTF8, "last4", "datetime2(7)"],
  ];
  for (const [type, mask, source] of misfits) {
    assert.throws(
      () => begin([column("C", type, source)], { C: mask }),
      (error) => error instanceof SallyportError && error.code === "policy.denied" && error.detail.column === "C",
      `${type.kind} ${String(mask)}`,
    );
  }
});

test("hash without a key is refused; without `hash` no key is wanted", () => {
  assert.throws(
    () => createMaskedBatch([column("C", UTF8)], { masks: { C: "hash" }, key: undefined }, SIZES),
    (error) => error instanceof SallyportError && error.code === "agent.mask_key",
  );
  const made = createMaskedBatch([column("C", UTF8)], { masks: { C: "null", Other: "hash" }, key: undefined }, SIZES);
  assert.deepEqual(sent(made, [[text("x")]]), [{ C: null }]);
});

test("what masks add is counted, so a batch of many small hashed columns still fits one message", () => {
  const columns = Array.from({ length: 1000 }, (_, at) => column(`c${at}`, { kind: "bool" }));
  const made = begin(columns, Object.fromEntries(columns.map(({ name }) => [name, "hash" as const])));
  let rows = 0;
  while (!made.batch.full) {
    for (const into of made.batch.columns) into.appendBool(rows % 2 === 0);
    made.batch.rowDone();
    rows++;
  }
  assert.equal(received(made).length, rows);
});

test("a last row too large for the first message goes alone, masked as the others", () => {
  const made = begin([column("Big", { kind: "binary" }), column("Name", UTF8)], { Name: "hash" });
  const bytes = (size: number) => (into: ColumnBuffer) => into.appendBytes(Buffer.alloc(size), 0, size);
  const rows: [number, string][] = [
    [1, "a"],
    [2 ** 24 - 100, "b"],
  ];
  for (const [size, name] of rows) {
    bytes(size)(made.batch.columns[0]!);
    made.batch.columns[1]!.appendString(name);
    made.batch.rowDone();
  }
  const messages = drainBatch(made.drained);
  assert.equal(messages.length, 2);
  const names = messages.flatMap(({ message }) => [
    ...jsonRows(["Big", "Name"], checkBatch(message, made.columns, DEFAULT_LIMITS).columns),
  ]);
  assert.deepEqual(
    names.map(({ Name }) => Name),
    [hmac("a"), hmac("b")],
  );
});

test("what is counted and cut does not depend on how long a masked value is", () => {
  const countedOf = (value: string) => {
    const made = createMaskedBatch(
      [column("Id", INT, "int", false), column("Note", UTF8), column("Gone", UTF8)],
      { masks: { Note: "hash", Gone: "null" }, key: KEY },
      { ...SIZES, batchBytes: 4096 },
    );
    const { batch } = made;
    while (!batch.full) {
      batch.columns[0]!.appendInt(batch.length);
      batch.columns[1]!.appendString(value);
      batch.columns[2]!.appendString(value);
      batch.rowDone();
    }
    const { length, byteLength } = batch;
    return { length, byteLength, messages: drainBatch(made.drained).length };
  };
  const short = countedOf("x");
  assert.ok(short.length > 10);
  assert.deepEqual(countedOf("x".repeat(5_000_000)), short);
});

test("the limits of cells and rows are for what is read, masked or not", () => {
  const made = createMaskedBatch(
    [column("A", UTF8), column("B", UTF8)],
    { masks: { A: "null", B: "null" }, key: undefined },
    { cellBytes: 60, rowBytes: 100 },
  );
  const isBytes = (error: unknown) => error instanceof SallyportError && error.code === "limit.bytes";
  assert.throws(() => made.batch.columns[0]!.appendString("x".repeat(61)), isBytes);
  made.batch.columns[0]!.appendString("x".repeat(60));
  assert.throws(() => made.batch.columns[1]!.appendString("x".repeat(60)), isBytes);
});

test("a masked column that got no value, or two, is no row", () => {
  const [made, twice] = [begin([column("A", UTF8)], { A: "null" }), begin([column("A", UTF8)], { A: "null" })];
  assert.throws(() => made.batch.rowDone(), TypeError);
  for (const value of ["a", "b"]) twice.batch.columns[0]!.appendString(value);
  assert.throws(() => twice.batch.rowDone(), TypeError);
});
