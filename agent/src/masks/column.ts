/** What a mask makes of a column: its type, and its values. A value that is NULL stays NULL (docs/masks.md). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ColumnBuffer } from "@sallyport/shared/rows/column-buffer.ts";
import { type ColumnView, fixedRowBytes, isVariable } from "@sallyport/shared/rows/layout.ts";
import { columnReader, isNull } from "@sallyport/shared/rows/to-json.ts";
import type { Column, ColumnType } from "@sallyport/shared/rows/types.ts";
import { type Mask, maskWord } from "@sallyport/shared/schema/mask.ts";
import type { HashValue } from "./hash.ts";

/** The field metadata that says how a column was masked. */
export const MASKED_KEY = "masked";

const UTF8: ColumnType = { kind: "utf8" };
const HASH_BYTES = 43;
const SHOWN_CHARACTERS = 4;
const CHARACTER_BYTES_MAX = 4;

/** The column as it leaves. @throws policy.denied when the mask can make nothing of its type. */
export function maskedColumn(column: Column, mask: Mask): Column {
  if (!isFit(column, mask)) {
    throw new SallyportError(
      "policy.denied",
      `The policy's mask \`${maskWord(mask)}\` cannot be applied to column ${column.name} of type ${column.source}.`,
      { column: column.name, mask: maskWord(mask) },
    );
  }
  const metadata = { ...column.metadata, [MASKED_KEY]: maskWord(mask) };
  if (mask === "null") return { ...column, nullable: true, metadata };
  if (mask === "year") return { ...column, type: { kind: "int", bits: 16, signed: true }, metadata };
  return { ...column, type: UTF8, metadata };
}

/** Declared as a time, but carried as ISO text: the pull's option `timestamps: text`. */
const isTimeText = ({ type, source }: Column): boolean => type.kind === "utf8" && /^datetime(2|offset)\(/.test(source);

function isFit(column: Column, mask: Mask): boolean {
  const { type } = column;
  if (mask === "year") {
    return ["date", "timestamp", "timestampOffset"].includes(type.kind) || isTimeText(column);
  }
  if (mask === "last4") {
    return type.kind === "utf8" ? !isTimeText(column) : type.kind === "int" || (type.kind === "decimal" && !type.scale);
  }
  return true;
}

/** By how much a row may grow beyond what is counted of the column as it is read. */
export function growthBytes({ type }: Column, mask: Mask): number {
  if (mask === "null") return 0;
  if (mask === "year") return 2;
  const data =
    mask === "hash"
      ? HASH_BYTES
      : mask === "last4"
        ? SHOWN_CHARACTERS * CHARACTER_BYTES_MAX
        : Buffer.byteLength(mask.fixed);
  return data + (isVariable(type) ? 0 : Math.max(0, 4 - fixedRowBytes(type)));
}

/** Gives the first `rows` values of a column as the mask leaves them; valid until it is asked again. */
export type MaskedView = (read: ColumnView) => ColumnView;

/**
 * @param masked what `maskedColumn` gave
 * @param hash used by the mask `hash` only
 */
export function createMaskedView(column: Column, masked: Column, mask: Mask, hash: HashValue): MaskedView {
  // The limits of cells and rows were applied to what was read; what is written is short.
  const unlimited = Number.POSITIVE_INFINITY;
  const meter = { rowBytes: 0, maxCellBytes: unlimited, maxRowBytes: unlimited };
  const into = new ColumnBuffer(masked, meter);
  return (read) => {
    into.dropFirst(into.length);
    meter.rowBytes = 0;
    const write = writerOf(column, read, mask, into, hash);
    for (let row = 0; row < read.length; row++) {
      if (mask === "null" || isNull(read, row)) into.appendNull();
      else write(row);
    }
    return into.view(read.length);
  };
}

function writerOf(
  column: Column,
  read: ColumnView,
  mask: Exclude<Mask, "null"> | "null",
  into: ColumnBuffer,
  hash: HashValue,
): (row: number) => void {
  if (mask === "null") return () => {};
  if (mask === "hash") {
    const bytesOf = rawBytes(read);
    return (row) => into.appendString(bytesOf(row, hash));
  }
  if (mask === "year") {
    const text = columnReader(read);
    return (row) => into.appendInt(Number.parseInt(String(text(row)), 10));
  }
  if (mask === "last4") return column.type.kind === "utf8" ? lastOfText(read, into) : lastOfNumber(read, into);
  return () => into.appendString(mask.fixed);
}

/** What is hashed: a text's UTF-8, a binary value's bytes, and the exact text of anything else. */
function rawBytes(view: ColumnView): (row: number, hash: HashValue) => string {
  const { type, offsets, data } = view;
  if (offsets !== undefined) return (row, hash) => hash(data, offsets[row]!, offsets[row + 1]!);
  if (type.kind === "fixedBinary" && type.uuid !== true) {
    return (row, hash) => hash(data, row * type.bytes, (row + 1) * type.bytes);
  }
  const text = columnReader(view);
  return (row, hash) => {
    const bytes = Buffer.from(String(text(row)));
    return hash(bytes, 0, bytes.length);
  };
}

const SPACE = 0x20;

/** The last four characters; nothing of a text that has no more than these. The blanks that fill a `char(n)` count for none. */
function lastOfText({ data, offsets }: ColumnView, into: ColumnBuffer): (row: number) => void {
  return (row) => {
    const start = offsets![row]!;
    let end = offsets![row + 1]!;
    while (end > start && data[end - 1] === SPACE) end--;
    let from = end;
    for (let characters = 0; from > start && characters < SHOWN_CHARACTERS; ) {
      from--;
      if ((data[from]! & 0xc0) !== 0x80) characters++;
    }
    if (from === start) into.appendString("");
    else into.appendText(data, from, end, "utf8");
  };
}

function lastOfNumber(view: ColumnView, into: ColumnBuffer): (row: number) => void {
  const text = columnReader(view);
  return (row) => {
    const digits = String(text(row)).replace("-", "");
    into.appendString(digits.length > SHOWN_CHARACTERS ? digits.slice(-SHOWN_CHARACTERS) : "");
  };
}
