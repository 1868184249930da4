/** What an attribute becomes as a column, by its syntax, and how each of its values gets there [MS-ADTS 3.1.1.2.2.2]. */

import type { ColumnBuffer } from "@sallyport/shared/rows/columns.ts";
import { notExact } from "@sallyport/shared/rows/refusals.ts";
import type { Column, ColumnType, ItemType } from "@sallyport/shared/rows/types.ts";
import type { AttributeType } from "./attribute-types.ts";
import type { EntryAttribute, TakeValue } from "./message.ts";
import { sidText } from "./sid.ts";
import { fileTime, generalizedTime, isoText } from "./time.ts";

type Append = TakeValue<ColumnBuffer>;

interface Syntax {
  readonly type: ItemType;
  readonly append: Append;
}

const appendText: Append = (buffer, bytes, start, end) => buffer.appendText(bytes, start, end, "utf8");
const text: Syntax = { type: { kind: "utf8" }, append: appendText };
const binary: Syntax = {
  type: { kind: "binary" },
  append: (buffer, bytes, start, end) => buffer.appendBytes(bytes, start, end),
};

const wholeNumber = (bits: 32 | 64): Syntax => ({
  type: { kind: "int", bits, signed: true },
  append(buffer, bytes, start, end) {
    const digits = bytes.toString("latin1", start, end);
    if (!/^-?[0-9]{1,19}$/.test(digits)) throw notExact(buffer.column, "is no whole number");
    if (bits === 32) {
      // What has too many digits for a number to hold exactly is far beyond 32 bits anyway.
      const number = Number(digits);
      if (number !== (number | 0)) throw notExact(buffer.column, "does not fit 32 bits");
      buffer.appendInt(number);
      return;
    }
    const number = BigInt(digits);
    if (number !== BigInt.asIntN(bits, number)) throw notExact(buffer.column, `does not fit ${bits} bits`);
    buffer.appendInt64(Number(BigInt.asUintN(32, number)), Number(number >> 32n));
  },
});

const bool: Syntax = {
  type: { kind: "bool" },
  append(buffer, bytes, start, end) {
    const word = bytes.toString("latin1", start, end);
    if (word !== "TRUE" && word !== "FALSE") throw notExact(buffer.column, "is neither TRUE nor FALSE");
    buffer.appendBool(word === "TRUE");
  },
};

const time: Syntax = {
  type: { kind: "timestamp", unit: "us" },
  append(buffer, bytes, start, end) {
    const instant = generalizedTime(bytes.toString("latin1", start, end));
    if (instant === undefined) throw notExact(buffer.column, "is no time");
    buffer.appendTimestamp(instant.days, instant.ticks);
  },
};

/** Counted in 100 ns, which only nanoseconds hold; a time that never comes is no value. */
const ticks: Syntax = {
  type: { kind: "timestamp", unit: "ns" },
  append(buffer, bytes, start, end) {
    const instant = fileTime(bytes.toString("latin1", start, end));
    if (instant === undefined) throw notExact(buffer.column, "is no count since 1601");
    if (instant === "never") buffer.appendNull();
    else buffer.appendTimestamp(instant.days, instant.ticks);
  },
};

/** The pull's option `timestamps: text`: also what nanoseconds do not hold, of the years after 2262. */
const ticksText: Syntax = {
  type: { kind: "utf8" },
  append(buffer, bytes, start, end) {
    const instant = fileTime(bytes.toString("latin1", start, end));
    if (instant === undefined) throw notExact(buffer.column, "is no count since 1601");
    if (instant === "never") buffer.appendNull();
    else buffer.appendString(isoText(instant));
  },
};

const sid: Syntax = {
  type: { kind: "utf8" },
  append(buffer, bytes, start, end) {
    const written = sidText(bytes.subarray(start, end));
    if (written === undefined) throw notExact(buffer.column, "is no security identifier");
    buffer.appendString(written);
  },
};

const SYNTAXES: Readonly<Record<string, Syntax>> = {
  "2.5.5.8": bool,
  "2.5.5.9": wholeNumber(32),
  "2.5.5.10": binary,
  "2.5.5.11": time,
  "2.5.5.15": binary,
  "2.5.5.16": wholeNumber(64),
  "2.5.5.17": sid,
};

/** Large integers that count time since 1601 [MS-ADA1 to 3]; others of the same syntax count something else. */
const TIMES = new Set(
  [
    ...[
      "accountExpires",
      "badPasswordTime",
      "creationTime",
      "lastLogoff",
      "lastLogon",
      "lastLogonTimestamp",
      "lastSetTime",
    ],
    ...["lockoutTime", "priorSetTime", "pwdLastSet", "msDS-UserPasswordExpiryTimeComputed"],
    ...["msDS-LastSuccessfulInteractiveLogonTime", "msDS-LastFailedInteractiveLogonTime"],
  ].map((name) => name.toLowerCase()),
);
/** Octets that are GUIDs: 16 bytes, always. */
const GUIDS = new Set(["objectguid", "schemaidguid", "attributesecurityguid", "parentguid", "invocationid"]);

const uuid: ColumnType = { kind: "fixedBinary", bytes: 16, uuid: true };

const appendGuid: Append = (buffer, bytes, start, end) => {
  if (end - start !== 16) throw notExact(buffer.column, "is no GUID of 16 bytes");
  buffer.appendUuid(bytes, start);
};

export type TimestampForm = "text" | undefined;

function syntaxOf({ name, syntax }: AttributeType, timestamps: TimestampForm): Syntax {
  if (syntax !== "2.5.5.16" || !TIMES.has(name.toLowerCase())) return SYNTAXES[syntax] ?? text;
  return timestamps === "text" ? ticksText : ticks;
}

const isGuid = ({ name, syntax, isSingle }: AttributeType): boolean =>
  isSingle && syntax === "2.5.5.10" && GUIDS.has(name.toLowerCase());

/** The column of an attribute: NULL where an object has no value, a list where the schema allows several. */
export function columnOf(attribute: AttributeType, timestamps?: TimestampForm): Column {
  const { name, syntax, isSingle } = attribute;
  const { type } = syntaxOf(attribute, timestamps);
  const own: ColumnType = isGuid(attribute) ? uuid : isSingle ? type : { kind: "list", of: type };
  return { name, type: own, nullable: true, source: `${syntax}${isSingle ? "" : "[]"}` };
}

/** Writes an object's values into its column, as NULL where there are none. @throws SallyportError `value.not_exact`, `limit.bytes` */
export function writerOf(
  type: AttributeType,
  timestamps?: TimestampForm,
): (buffer: ColumnBuffer, attribute: EntryAttribute) => void {
  const append = isGuid(type) ? appendGuid : syntaxOf(type, timestamps).append;
  if (type.isSingle) {
    return (buffer, attribute) => {
      const count = attribute.each(append, buffer);
      if (count > 1) throw notExact(buffer.column, "is one of several, where the schema allows one");
      if (count === 0) buffer.appendNull();
    };
  }
  return (buffer, attribute) => {
    if (attribute.each(append, buffer.items!) === 0) buffer.appendNull();
    else buffer.appendList();
  };
}
