/** What a mask makes of a column: its type, and its values. A value that is NULL stays NULL (docs/masks.md). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { ColumnBuffer } from "@sallyport/shared/rows/column-buffer.ts";
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import { columnReader, isNull } from "@sallyport/shared/rows/to-json.ts";
import type { Column, ColumnType } from "@sallyport/shared/rows/types.ts";
import { type Mask, maskWord } from "@sallyport/shared/schema/mask.ts";
import type { HashValue } from "./hash.ts";

/** The field metadata that says how a column was masked. */
const MASKED_KEY = "masked";

const UTF8: ColumnType = { kind: "utf8" };
const SHOWN_CHARACTERS = 4;

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

/**
 * Masks the one value that `read` holds into a column that `maskedColumn` gave.
 * @param hash used by the mask `hash` only
 */
export function createMaskedWriter(read: ColumnBuffer, mask: Mask, into: ColumnBuffer, hash: HashValue): () => void {
  if (mask === "null") return () => into.appendNull();
  const write = writerOf(read.column, mask, into, hash);
  return () => {
    const view = read.view(1);
    if (isNull(view, 0)) into.appendNull();
    else write(view);
  };
}

type WriteMasked = (view: ColumnView) => void;

function writerOf(column: Column, mask: Exclude<Mask, "null">, into: ColumnBuffer, hash: HashValue): WriteMasked {
  if (mask === "hash") return hashed(column, into, hash);
  if (mask === "year") return (view) => into.appendInt(Number.parseInt(String(columnReader(view)(0)), 10));
  if (mask === "last4") return column.type.kind === "utf8" ? lastOfText(into) : lastOfNumber(into);
  return () => into.appendString(mask.fixed);
}

/** What is hashed: a text's UTF-8, a binary value's bytes, and the exact text of anything else; of a list its JSON. */
function hashed({ type }: Column, into: ColumnBuffer, hash: HashValue): WriteMasked {
  const isBytes = type.kind === "utf8" || type.kind === "binary";
  if (isBytes || (type.kind === "fixedBinary" && type.uuid !== true)) {
    return ({ data }) => into.appendString(hash(data, 0, data.length));
  }
  return (view) => {
    const value = columnReader(view)(0);
    // A list joined by commas could be another list.
    const bytes = Buffer.from(Array.isArray(value) ? JSON.stringify(value) : String(value));
    into.appendString(hash(bytes, 0, bytes.length));
  };
}

const SPACE = 0x20;

/** The last four characters; nothing of a text that has no more than these. The blanks that fill a `char(n)` count for none. */
const lastOfText =
  (into: ColumnBuffer): WriteMasked =>
  ({ data }) => {
    let end = data.length;
    while (end > 0 && data[end - 1] === SPACE) end--;
    let from = end;
    for (let characters = 0; from > 0 && characters < SHOWN_CHARACTERS; ) {
      from--;
      if ((data[from]! & 0xc0) !== 0x80) characters++;
    }
    if (from === 0) into.appendString("");
    else into.appendText(data, from, end, "utf8");
  };

const lastOfNumber =
  (into: ColumnBuffer): WriteMasked =>
  (view) => {
    const digits = String(columnReader(view)(0)).replace("-", "");
    into.appendString(digits.length > SHOWN_CHARACTERS ? digits.slice(-SHOWN_CHARACTERS) : "");
  };
