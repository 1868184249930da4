/** One column of a batch being filled: growable buffers, laid out as Arrow wants them. */
import { bitAt, grown, moveBits } from "./bits.ts";
import { isoDateTime, isoOffset } from "./iso.ts";
import {
  bitmapBytes,
  type ColumnView,
  dataBytes,
  fixedRowBytes,
  isVariable,
  type RowMeter,
  safeRange,
  valueWidth,
} from "./layout.ts";
import { notExact, tooLarge, wrongKind } from "./refusals.ts";
import { copyUtf8, utf8LengthOfUtf16le, utf16leToUtf8 } from "./transcode.ts";
import type { Column, ColumnKind } from "./types.ts";
import { decimalLimit, isBelow, storeInstant, storeInt64, storeInt128, storeUuid, TICKS_PER_DAY } from "./words.ts";

// Small at first: a result may have 4,096 columns.
const FIRST_ROWS = 256;
const FIRST_DATA_BYTES = 4 * 1024;
/** What is larger is given back after use, not kept for the rest of the session. */
const KEPT_DATA_BYTES = 4 * 1024 * 1024;
/** Texts above this are measured before room is made for them: 3 bytes a unit would be wasteful. */
const MEASURED_TEXT_BYTES = 64 * 1024;
const utf8Encoder = new TextEncoder();

/**
 * For each row exactly one append. It throws SallyportError `value.not_exact` (does not fit the column's type) or
 * `limit.bytes` (cell or row too large), TypeError for another kind; the batch must then be dropped. Ranges are `[start, end)` of `source`, and the bytes are copied.
 */
export class ColumnBuffer {
  readonly column: Column;
  length = 0;
  nullCount = 0;
  /** Bytes of text or binary so far, or items of a list. */
  dataLength = 0;
  /** Of a list: where the items of the row that comes next go, before `appendList`. */
  readonly items: ColumnBuffer | undefined = undefined;

  /** Bytes that its rows add to what their fixed width takes. */
  get variableBytes(): number {
    const { items, dataLength } = this;
    return items === undefined ? dataLength : items.dataLength + items.length * fixedRowBytes(items.column.type);
  }

  private readonly kind: ColumnKind;
  private readonly meter: RowMeter;
  private readonly width: number;
  private readonly variable: boolean;
  private readonly min: number;
  private readonly max: number;
  private readonly decimalLimit: readonly [number, number, number, number];
  private rowCapacity = 0;
  /** Of a list: bytes of text and binary in the rows that are closed. */
  private closedBytes = 0;
  private validity = new Uint8Array(0);
  private offsets = new Int32Array(0);
  private offsetMinutes = new Int16Array(0);
  // Four views of one ArrayBuffer.
  private data = new Uint8Array(0);
  private words = new Int32Array(0);
  private floats = new Float32Array(0);
  private doubles = new Float64Array(0);

  constructor(column: Column, meter: RowMeter) {
    const { type } = column;
    this.column = column;
    this.kind = type.kind;
    this.meter = meter;
    this.width = valueWidth(type);
    this.variable = isVariable(type);
    [this.min, this.max] = safeRange(type);
    this.decimalLimit = decimalLimit(type.kind === "decimal" ? type.precision : 0);
    if (type.kind === "list") this.items = new ColumnBuffer({ ...column, type: type.of, nullable: false }, meter);
    else if (this.variable) this.resizeData(FIRST_DATA_BYTES);
    this.growRows();
  }

  appendNull(): void {
    if (!this.column.nullable) throw notExact(this.column, "is NULL, but the column is declared NOT NULL");
    const row = this.next();
    this.nullCount++;
    // Zeros, not what an earlier batch left here.
    if (this.variable) this.offsets[row + 1] = this.dataLength;
    else if (this.width > 0) this.data.fill(0, row * this.width, (row + 1) * this.width);
    if (this.kind === "timestampOffset") this.offsetMinutes[row] = 0;
  }

  appendBool(value: boolean): void {
    this.expect("bool");
    const row = this.nextValid();
    if (value) this.data[row >> 3]! |= 1 << (row & 7);
  }

  /** A safe integer within the range of the column. */
  appendInt(value: number): void {
    this.expect("int");
    if (!(value >= this.min && value <= this.max) || !Number.isInteger(value)) {
      throw notExact(this.column, "is outside the range of its integer type");
    }
    const row = this.nextValid();
    if (this.width === 4) this.words[row] = value;
    else if (this.width === 8) storeInt64(this.words, row, value);
    else if (this.width === 1) this.data[row] = value;
    else {
      this.data[row * 2] = value;
      this.data[row * 2 + 1] = value >> 8;
    }
  }

  /** Int64, or the unscaled value of a decimal (`money`). `low` is a uint32, `high` an int32. */
  appendInt64(low: number, high: number): void {
    if (this.kind === "decimal") {
      const negative = high < 0;
      const lowMagnitude = negative ? -low >>> 0 : low;
      const highMagnitude = negative ? (~high + (lowMagnitude === 0 ? 1 : 0)) >>> 0 : high;
      this.appendDecimal(negative, lowMagnitude, highMagnitude, 0, 0);
      return;
    }
    if (this.kind !== "int" || this.width !== 8) throw wrongKind(this.column, "int64");
    const row = this.nextValid();
    this.words[row * 2] = low;
    this.words[row * 2 + 1] = high;
  }

  /** A float32 column takes only what a float32 holds. */
  appendFloat(value: number): void {
    this.expect("float");
    if (this.width === 4 && !Object.is(Math.fround(value), value)) throw notExact(this.column, "is no float32");
    const row = this.nextValid();
    if (this.width === 8) this.doubles[row] = value;
    else this.floats[row] = value;
  }

  /** The magnitude of the unscaled value as four uint32, lowest first, and its sign, as TDS sends it. */
  appendDecimal(negative: boolean, word0: number, word1: number, word2: number, word3: number): void {
    this.expect("decimal");
    if (!isBelow(this.decimalLimit, word0, word1, word2, word3))
      throw notExact(this.column, "has more digits than its precision");
    const row = this.nextValid();
    storeInt128(this.words, row, negative, word0, word1, word2, word3);
  }

  /** Text as bytes; invalid UTF-8 and lone surrogates are `value.not_exact`. */
  appendText(source: Uint8Array, start: number, end: number, encoding: "utf8" | "utf16le"): void {
    this.expect("utf8");
    const from = this.dataLength;
    const bytes = end - start;
    // A UTF-16 unit gives at least one byte, so an oversized text is refused before room is made for it.
    this.allowCell(encoding === "utf8" ? bytes : bytes >> 1);
    if (encoding === "utf16le") {
      const most = bytes > MEASURED_TEXT_BYTES ? utf8LengthOfUtf16le(source, start, end) : (bytes >> 1) * 3;
      if (bytes > MEASURED_TEXT_BYTES) this.allowCell(most);
      this.reserve(most);
      const to = utf16leToUtf8(source, start, end, this.data, from);
      if (to < 0) throw notExact(this.column, "holds a lone UTF-16 surrogate, which UTF-8 cannot carry");
      this.allowCell(to - from);
      this.finishCell(to);
      return;
    }
    this.reserve(bytes);
    if (!copyUtf8(source, start, end, this.data, from)) throw notExact(this.column, "is not valid UTF-8");
    this.finishCell(from + bytes);
  }

  /** Text that had to be decoded first (code pages). */
  appendString(text: string): void {
    this.expect("utf8");
    this.allowCell(text.length);
    if (!text.isWellFormed()) throw notExact(this.column, "holds a lone UTF-16 surrogate, which UTF-8 cannot carry");
    const bytes = Buffer.byteLength(text, "utf8");
    this.allowCell(bytes);
    this.reserve(bytes);
    utf8Encoder.encodeInto(text, this.data.subarray(this.dataLength));
    this.finishCell(this.dataLength + bytes);
  }

  /** Binary, or fixed binary of exactly its width (rowversion, a UUID already in RFC order). */
  appendBytes(source: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    if (this.kind === "fixedBinary") {
      if (bytes !== this.width) throw notExact(this.column, `has ${bytes} bytes instead of ${this.width}`);
      const to = this.nextValid() * this.width;
      for (let index = 0; index < bytes; index++) this.data[to + index] = source[start + index]!;
      return;
    }
    this.expect("binary");
    this.allowCell(bytes);
    this.reserve(bytes);
    this.data.set(source.subarray(start, end), this.dataLength);
    this.finishCell(this.dataLength + bytes);
  }

  /** 16 bytes in Windows' mixed-endian order, stored in RFC 9562 order. */
  appendUuid(source: Uint8Array, start: number): void {
    this.expect("fixedBinary");
    if (this.width !== 16) throw wrongKind(this.column, "uuid");
    const row = this.nextValid();
    storeUuid(this.data, row * 16, source, start);
  }

  appendDate(daysSinceEpoch: number): void {
    this.expect("date");
    const row = this.nextValid();
    this.words[row] = daysSinceEpoch;
  }

  /** 100 ns ticks since midnight, whatever the scale. */
  appendTime(ticks: number): void {
    this.expect("time");
    if (!(ticks >= 0 && ticks < TICKS_PER_DAY)) throw notExact(this.column, "is no time of a day");
    const row = this.nextValid();
    storeInt64(this.words, row, ticks * 100);
  }

  /** Days since 1970-01-01 and 100 ns ticks of that day; a utf8 column takes it as ISO text with 7 digits. */
  appendTimestamp(days: number, ticks: number): void {
    if (this.kind === "utf8") this.appendString(isoDateTime(days, ticks, 7));
    else this.setInstant("timestamp", days, ticks);
  }

  /** The instant in UTC (as TDS sends it) and the offset; a utf8 column takes it as ISO text of the local time. */
  appendTimestampOffset(days: number, ticks: number, offsetMinutes: number): void {
    if (this.kind === "utf8") {
      this.appendString(isoDateTime(days, ticks + offsetMinutes * 600_000_000, 7) + isoOffset(offsetMinutes));
      return;
    }
    this.setInstant("timestampOffset", days, ticks);
    this.offsetMinutes[this.length - 1] = offsetMinutes;
  }

  /** Closes a row of a list, with every item that was appended since the row before. */
  appendList(): void {
    this.expect("list");
    const items = this.items!;
    const fixedBytes = (items.length - this.dataLength) * fixedRowBytes(items.column.type);
    if (items.dataLength - this.closedBytes + fixedBytes > this.meter.maxCellBytes)
      throw tooLarge(this.column, "cell", this.meter.maxCellBytes);
    this.meter.rowBytes += fixedBytes;
    this.closedBytes = items.dataLength;
    this.dataLength = items.length;
    const row = this.nextValid();
    this.offsets[row + 1] = this.dataLength;
  }

  /** The first `rows` values as Arrow buffers. They are views: encode them before the next append. */
  view(rows: number): ColumnView {
    const end = this.variable ? this.offsets[rows]! : dataBytes(this.column.type, rows);
    return {
      type: this.column.type,
      length: rows,
      nullCount: this.nullCount === 0 ? 0 : this.nullCount - this.nullsIn(rows, this.length),
      validity: this.nullCount === 0 ? undefined : this.validity.subarray(0, bitmapBytes(rows)),
      offsets: this.variable ? this.offsets.subarray(0, rows + 1) : undefined,
      data: this.data.subarray(0, end),
      items: this.items?.view(end),
      offsetMinutes: this.kind === "timestampOffset" ? this.offsetMinutes.subarray(0, rows) : undefined,
    };
  }

  /** Forgets the first `rows` values (all, or all but the last) and moves the last one to the front. */
  dropFirst(rows: number): void {
    const kept = this.length - rows;
    const from = this.variable ? this.offsets[rows]! : 0;
    moveBits(this.validity, rows, this.length);
    if (this.kind === "bool") moveBits(this.data, rows, this.length);
    else if (this.items !== undefined) this.items.dropFirst(from);
    else if (this.variable) this.data.copyWithin(0, from, this.dataLength);
    else this.data.copyWithin(0, rows * this.width, this.length * this.width);
    if (this.kind === "timestampOffset") this.offsetMinutes.copyWithin(0, rows, this.length);
    if (this.variable) for (let row = 0; row <= kept; row++) this.offsets[row] = this.offsets[rows + row]! - from;
    this.dataLength = this.variable ? this.dataLength - from : 0;
    this.length = kept;
    this.nullCount = this.nullsIn(0, kept);
    this.closedBytes = this.items?.dataLength ?? 0;
    if (this.variable && kept === 0 && this.data.length > KEPT_DATA_BYTES) this.resizeData(FIRST_DATA_BYTES);
  }

  /** Room for one value more; its row. */
  private next(): number {
    if (this.length === this.rowCapacity) this.growRows();
    return this.length++;
  }

  private nextValid(): number {
    const row = this.next();
    this.validity[row >> 3]! |= 1 << (row & 7);
    return row;
  }

  private finishCell(dataEnd: number): void {
    const row = this.nextValid();
    this.meter.rowBytes += dataEnd - this.dataLength;
    this.dataLength = dataEnd;
    this.offsets[row + 1] = dataEnd;
  }

  private setInstant(kind: "timestamp" | "timestampOffset", days: number, ticks: number): void {
    const { type } = this.column;
    if (type.kind !== kind) throw wrongKind(this.column, kind);
    const row = this.nextValid();
    if (!storeInstant(this.words, row, type.unit, days, ticks)) {
      throw notExact(
        this.column,
        `is a time that ${type.unit === "ns" ? "nanoseconds (1677 to 2262)" : type.unit} cannot hold`,
      );
    }
  }

  private nullsIn(from: number, to: number): number {
    let nulls = 0;
    for (let row = from; row < to; row++) if (!bitAt(this.validity, row)) nulls++;
    return nulls;
  }

  private allowCell(bytes: number): void {
    if (bytes > this.meter.maxCellBytes) throw tooLarge(this.column, "cell", this.meter.maxCellBytes);
    if (this.meter.rowBytes + bytes > this.meter.maxRowBytes)
      throw tooLarge(this.column, "row", this.meter.maxRowBytes);
  }

  private reserve(bytes: number): void {
    const wanted = this.dataLength + bytes;
    if (wanted > this.data.length) this.resizeData(Math.max(wanted, this.data.length * 2));
  }

  private growRows(): void {
    const rows = Math.max(FIRST_ROWS, this.rowCapacity * 2);
    this.rowCapacity = rows;
    this.validity = grown(this.validity, new Uint8Array(rows / 8));
    if (this.variable) this.offsets = grown(this.offsets, new Int32Array(rows + 1));
    else this.resizeData(dataBytes(this.column.type, rows));
    if (this.kind === "timestampOffset") this.offsetMinutes = grown(this.offsetMinutes, new Int16Array(rows));
  }

  private resizeData(bytes: number): void {
    const buffer = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
    const data = new Uint8Array(buffer);
    data.set(this.data.subarray(0, Math.min(this.data.length, data.length)));
    this.data = data;
    this.words = new Int32Array(buffer);
    this.floats = new Float32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  private expect(kind: ColumnKind): void {
    if (this.kind !== kind) throw wrongKind(this.column, kind);
  }
}
