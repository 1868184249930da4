/** Random rows of every column type, with what they must read as: for the property tests of this folder. */

import fc from "fast-check";
import { type ColumnBuffer, createBatch, type RowBatch } from "./columns.ts";
import type { Column, ColumnType, ItemType } from "./types.ts";

/** A value as plain integers, text or bytes; `{ instant, offset }` with 100 ns ticks since 1970 for timestampOffset; several for a list. */
export type Sample =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | { instant: bigint; offset: number }
  | readonly Exclude<Sample, null>[];

interface SampledType {
  readonly type: ColumnType;
  readonly values: fc.Arbitrary<Exclude<Sample, null>>;
  readonly append: (buffer: ColumnBuffer, sample: never) => void;
}

export const TICKS_PER_DAY = 864_000_000_000n;
const LAST_DAY = 2_932_896;
const FIRST_DAY = -719_162;
const MASK_32 = 0xffff_ffffn;

const word = (value: bigint, index: bigint): number => Number((value >> (32n * index)) & MASK_32);
const splitTicks = (ticks: bigint): [days: number, ticks: number] => {
  const rest = ((ticks % TICKS_PER_DAY) + TICKS_PER_DAY) % TICKS_PER_DAY;
  return [Number((ticks - rest) / TICKS_PER_DAY), Number(rest)];
};
/** Ticks since 1970 that are a multiple of `step`; edges are tried often. */
const instants = (step: bigint, min: bigint, max: bigint): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: min / step, max: max / step }).map((count) => count * step);
const YEARS = [BigInt(FIRST_DAY) * TICKS_PER_DAY, BigInt(LAST_DAY + 1) * TICKS_PER_DAY - 1n] as const;
const NS_SPAN = [-(2n ** 63n) / 100n, (2n ** 63n - 1n) / 100n] as const;

const integer = (bits: 8 | 16 | 32, signed: boolean): SampledType => ({
  type: { kind: "int", bits, signed },
  values: signed
    ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** bits - 1 }),
  append: (buffer, sample: number) => buffer.appendInt(sample),
});

const decimal = (precision: number, scale: number): SampledType => ({
  type: { kind: "decimal", precision, scale },
  values: fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }),
  append: (buffer, sample: bigint) => {
    const size = sample < 0n ? -sample : sample;
    buffer.appendDecimal(sample < 0n, word(size, 0n), word(size, 1n), word(size, 2n), word(size, 3n));
  },
});

const timestamp = (unit: "ms" | "us" | "ns"): SampledType => ({
  type: { kind: "timestamp", unit },
  values: unit === "ns" ? instants(1n, ...NS_SPAN) : instants(unit === "us" ? 10n : 10_000n, ...YEARS),
  append: (buffer, sample: bigint) => buffer.appendTimestamp(...splitTicks(sample)),
});

const timestampOffset = (unit: "us" | "ns"): SampledType => ({
  type: { kind: "timestampOffset", unit },
  values: fc.record({
    instant:
      unit === "ns" ? instants(1n, ...NS_SPAN) : instants(10n, YEARS[0] + TICKS_PER_DAY, YEARS[1] - TICKS_PER_DAY),
    offset: fc.integer({ min: -840, max: 840 }),
  }),
  append: (buffer, { instant, offset }: { instant: bigint; offset: number }) =>
    buffer.appendTimestampOffset(...splitTicks(instant), offset),
});

const text: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 40 });
const bytes = (size: { minLength: number; maxLength: number }): fc.Arbitrary<Buffer> =>
  fc.uint8Array(size).map((array) => Buffer.from(array));

const list = (of: SampledType): SampledType => ({
  type: { kind: "list", of: of.type as ItemType },
  values: fc.array(of.values, { maxLength: 6 }),
  append: (buffer, samples: readonly Sample[]) => {
    for (const sample of samples) of.append(buffer.items!, sample as never);
    buffer.appendList();
  },
});

const PLAIN: readonly SampledType[] = [
  { type: { kind: "bool" }, values: fc.boolean(), append: (buffer, sample: boolean) => buffer.appendBool(sample) },
  integer(8, false),
  integer(8, true),
  integer(16, true),
  integer(32, true),
  integer(32, false),
  {
    type: { kind: "int", bits: 64, signed: true },
    values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    append: (buffer, sample: bigint) => buffer.appendInt64(word(sample, 0n), Number(sample >> 32n)),
  },
  {
    type: { kind: "float", bits: 32 },
    values: fc.float({ noNaN: true }),
    append: (buffer, sample: number) => buffer.appendFloat(sample),
  },
  {
    type: { kind: "float", bits: 64 },
    values: fc.double({ noNaN: true }),
    append: (buffer, sample: number) => buffer.appendFloat(sample),
  },
  decimal(38, 10),
  decimal(38, 38),
  decimal(19, 4),
  decimal(1, 0),
  {
    type: { kind: "utf8" },
    values: text,
    append: (buffer, sample: string) => {
      const wide = Buffer.from(`.${sample}`, "utf16le");
      buffer.appendText(wide, 2, wide.length, "utf16le");
    },
  },
  {
    type: { kind: "utf8" },
    values: text,
    append: (buffer, sample: string) => buffer.appendText(Buffer.from(sample), 0, Buffer.byteLength(sample), "utf8"),
  },
  {
    type: { kind: "binary" },
    values: bytes({ minLength: 0, maxLength: 40 }),
    append: (buffer, sample: Buffer) => buffer.appendBytes(sample, 0, sample.length),
  },
  {
    type: { kind: "fixedBinary", bytes: 8 },
    values: bytes({ minLength: 8, maxLength: 8 }),
    append: (buffer, sample: Buffer) => buffer.appendBytes(sample, 0, 8),
  },
  {
    type: { kind: "fixedBinary", bytes: 16, uuid: true },
    values: bytes({ minLength: 16, maxLength: 16 }),
    append: (buffer, sample: Buffer) => buffer.appendBytes(sample, 0, 16),
  },
  {
    type: { kind: "date" },
    values: fc.integer({ min: FIRST_DAY, max: LAST_DAY }),
    append: (buffer, sample: number) => buffer.appendDate(sample),
  },
  {
    type: { kind: "time" },
    values: fc.bigInt({ min: 0n, max: TICKS_PER_DAY - 1n }),
    append: (buffer, sample: bigint) => buffer.appendTime(Number(sample)),
  },
  timestamp("ms"),
  timestamp("us"),
  timestamp("ns"),
  timestampOffset("us"),
  timestampOffset("ns"),
];

const LISTED = ["bool", "int", "float", "decimal", "utf8", "binary", "date", "time", "timestamp"];
const TYPES: readonly SampledType[] = [...PLAIN, ...PLAIN.filter(({ type }) => LISTED.includes(type.kind)).map(list)];

/** One column of every type, in a fixed order. */
export const SAMPLE_COLUMNS: readonly Column[] = TYPES.map(({ type }, index) => ({
  name: `${type.kind} ${index}`,
  type,
  nullable: true,
  source: JSON.stringify(type),
}));

export const SAMPLE_LIMITS = { cellBytes: 4096, rowBytes: 65_536 };

/** Rows with a value or NULL for each of the sample columns. */
export const sampleRows: fc.Arbitrary<Sample[][]> = fc.array(
  fc.tuple(...TYPES.map(({ values }) => fc.option(values, { freq: 6 }))),
  { minLength: 1, maxLength: 20 },
);

/** Appends rows of `sampleRows` to a batch of the sample columns. */
export function appendSamples(batch: RowBatch, rows: readonly (readonly Sample[])[]): void {
  for (const row of rows) {
    for (const [index, sample] of row.entries()) {
      const buffer = batch.columns[index]!;
      if (sample === null) buffer.appendNull();
      else TYPES[index]!.append(buffer, sample as never);
    }
    batch.rowDone();
  }
}

/** A batch that holds exactly these rows. */
export function sampleBatch(rows: readonly (readonly Sample[])[]): RowBatch {
  const batch = createBatch(SAMPLE_COLUMNS, SAMPLE_LIMITS);
  appendSamples(batch, rows);
  return batch;
}
