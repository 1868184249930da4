/** Rows of the types that others lose something of, at their extremes, for the tests of this folder. */
import { drainBatch, type EncodedBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { checkBatch } from "@sallyport/shared/rows/check.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";

export const EXACT_COLUMNS: readonly Column[] = [
  { name: "Id", type: { kind: "int", bits: 64, signed: true }, nullable: false, source: "bigint" },
  { name: "Amount", type: { kind: "decimal", precision: 38, scale: 10 }, nullable: true, source: "decimal(38,10)" },
  { name: "At", type: { kind: "timestamp", unit: "ns" }, nullable: true, source: "datetime2(7)" },
  { name: "Guid", type: { kind: "fixedBinary", bytes: 16, uuid: true }, nullable: true, source: "uniqueidentifier" },
  { name: "Raw", type: { kind: "binary" }, nullable: true, source: "varbinary(max)" },
  { name: "Zoned", type: { kind: "timestampOffset", unit: "ns" }, nullable: true, source: "datetimeoffset(7)" },
  { name: "Name", type: { kind: "utf8" }, nullable: true, source: "nvarchar(50)" },
];

export const exactSchema: Uint8Array = encodeSchema(EXACT_COLUMNS);

const word = (value: bigint, index: bigint) => Number((value >> (32n * index)) & 0xffffffffn);
const LIMITS = { cellBytes: 2 ** 20, rowBytes: 2 ** 21 };

export interface ExactRow {
  readonly id: bigint;
  /** Unscaled. */
  readonly amount: bigint | null;
  /** 100 ns ticks since 1970. */
  readonly at: bigint | null;
  readonly guid: Buffer | null;
  readonly raw: Buffer | null;
  readonly zoned: { readonly ticks: bigint; readonly offsetMinutes: number } | null;
  readonly name: string | null;
}

const TICKS_PER_DAY = 864_000_000_000n;
const day = (ticks: bigint) =>
  Number((ticks - (((ticks % TICKS_PER_DAY) + TICKS_PER_DAY) % TICKS_PER_DAY)) / TICKS_PER_DAY);
const rest = (ticks: bigint) => Number(((ticks % TICKS_PER_DAY) + TICKS_PER_DAY) % TICKS_PER_DAY);

/** One record batch message of these rows. */
export function exactBatch(rows: readonly ExactRow[]): EncodedBatch & {
  readonly decompressedBytes: number;
  readonly columns: readonly ColumnView[];
} {
  const batch = createBatch(EXACT_COLUMNS, LIMITS);
  const [id, amount, at, guid, raw, zoned, name] = batch.columns;
  for (const row of rows) {
    id!.appendInt64(Number(row.id & 0xffffffffn), Number(BigInt.asIntN(32, row.id >> 32n)));
    if (row.amount === null) amount!.appendNull();
    else {
      const size = row.amount < 0n ? -row.amount : row.amount;
      amount!.appendDecimal(row.amount < 0n, word(size, 0n), word(size, 1n), word(size, 2n), word(size, 3n));
    }
    if (row.at === null) at!.appendNull();
    else at!.appendTimestamp(day(row.at), rest(row.at));
    if (row.guid === null) guid!.appendNull();
    else guid!.appendBytes(row.guid, 0, 16);
    if (row.raw === null) raw!.appendNull();
    else raw!.appendBytes(row.raw, 0, row.raw.length);
    if (row.zoned === null) zoned!.appendNull();
    else zoned!.appendTimestampOffset(day(row.zoned.ticks), rest(row.zoned.ticks), row.zoned.offsetMinutes);
    if (row.name === null) name!.appendNull();
    else name!.appendString(row.name);
    batch.rowDone();
  }
  const decompressedBytes = batch.byteLength;
  const [only] = drainBatch(batch);
  return { ...only!, decompressedBytes, columns: checkBatch(only!.message, EXACT_COLUMNS, LIMITS).columns };
}

/** A row of NULLs, and rows whose values are the largest, the smallest and the finest of their types. */
export const EXTREMES: readonly ExactRow[] = [
  { id: 1n, amount: null, at: null, guid: null, raw: null, zoned: null, name: null },
  {
    id: 2n ** 63n - 1n,
    amount: 10n ** 38n - 1n,
    at: 92_233_720_368_547_758n,
    guid: Buffer.from("00112233445566778899aabbccddeeff", "hex"),
    raw: Buffer.alloc(0),
    zoned: { ticks: 1n, offsetMinutes: 840 },
    name: "",
  },
  {
    id: -(2n ** 63n),
    amount: -(10n ** 38n - 1n),
    at: -92_233_720_368_547_758n,
    guid: Buffer.alloc(16, 0xff),
    raw: Buffer.from([0, 1, 254, 255]),
    zoned: { ticks: -1n, offsetMinutes: -840 },
    name: "Zoë 𝄞 \u0000 東京",
  },
];

/** `count` ordinary rows from `first` on. */
export const ordinaryRows = (first: number, count: number): ExactRow[] =>
  Array.from({ length: count }, (_, index) => {
    const n = BigInt(first + index);
    const guid = Buffer.alloc(16);
    guid.writeBigUInt64BE(n, 8);
    return {
      id: n,
      amount: n * 10_000_000_001n,
      at: 17_000_000_000_000_000n + n,
      guid,
      raw: n % 7n === 0n ? null : Buffer.from(String(n)),
      zoned: { ticks: n, offsetMinutes: Number(n % 100n) },
      name: `row ${n}`,
    };
  });
