/**
 * Rows as lines of JSON, from checked columns. Text and binary are written in slices, so that neither a cell nor a row is
 * ever one string: six characters of JSON can come of one byte of a cell.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type ColumnView, cellBytes } from "@sallyport/shared/rows/layout.ts";
import { columnReader, isNull } from "@sallyport/shared/rows/to-json.ts";

const PIECE_CHARACTERS = 64 * 1024;
/** Bytes of a cell at once; a multiple of 3, so that slices of base64 join without padding in between. */
const SLICE_BYTES = 12 * 1024;
const SECOND_DIGITS = 7;

/**
 * One JSON object a row, each followed by a newline, in pieces of some 64 KiB, at most 144 KiB. Throws `value.not_exact`
 * for a float that JSON has no number for.
 */
export function* jsonLines(names: readonly string[], views: readonly ColumnView[]): Generator<Buffer> {
  const cells = views.map((view, index) => cellOf(names[index]!, view, index === 0));
  const rows = views[0]?.length ?? 0;
  let text = "";
  for (let row = 0; row < rows; row++) {
    for (const { label, slices, whole } of cells) {
      text += label;
      if (text.length >= PIECE_CHARACTERS) {
        yield Buffer.from(text);
        text = "";
      }
      const large = slices?.(row);
      if (large === undefined) {
        text += whole(row);
        continue;
      }
      for (const slice of large) {
        yield Buffer.from(text + slice);
        text = "";
      }
    }
    text += "}\n";
  }
  if (text !== "") yield Buffer.from(text);
}

interface Cell {
  /** What stands before the value. */
  readonly label: string;
  /** The value as JSON, in slices; undefined where it is small enough to be taken whole. */
  readonly slices: ((row: number) => Iterable<string> | undefined) | undefined;
  readonly whole: (row: number) => string;
}

function cellOf(name: string, view: ColumnView, first: boolean): Cell {
  const label = `${first ? "{" : ","}${JSON.stringify(name)}:`;
  return { label, ...jsonOf(name, view) };
}

function jsonOf(name: string, view: ColumnView): Omit<Cell, "label"> {
  if (view.items !== undefined) return listCell(name, view, view.items);
  if (view.type.kind === "utf8") return slicedCell(view, cutText, (text) => JSON.stringify(text));
  if (view.type.kind === "binary") return slicedCell(view, cutBinary, (text) => `"${text}"`);
  const read = columnReader(view, SECOND_DIGITS);
  const isFloat = view.type.kind === "float";
  const whole = (row: number): string => {
    const value = read(row);
    if (typeof value !== "string") return String(value);
    return isFloat ? unusualFloat(name, value) : `"${value}"`;
  };
  return { slices: undefined, whole };
}

function listCell(name: string, view: ColumnView, items: ColumnView): Omit<Cell, "label"> {
  const item = jsonOf(name, items);
  const offsets = view.offsets!;
  function* slices(row: number): Generator<string> {
    let text = "[";
    for (let at = offsets[row]!; at < offsets[row + 1]!; at++) {
      if (at > offsets[row]!) text += ",";
      for (const slice of item.slices?.(at) ?? [item.whole(at)]) {
        text += slice;
        if (text.length < SLICE_BYTES) continue;
        yield text;
        text = "";
      }
    }
    yield `${text}]`;
  }
  return {
    slices: (row) => (!isNull(view, row) && cellBytes(view, row, row + 1) > SLICE_BYTES ? slices(row) : undefined),
    whole: (row) => (isNull(view, row) ? "null" : [...slices(row)].join("")),
  };
}

/** The front of a cell as JSON, without quotes, and how many of its bytes that was. */
type Cut = (cell: Buffer) => readonly [json: string, bytes: number];

function slicedCell(view: ColumnView, cut: Cut, quoted: (text: string) => string): Omit<Cell, "label"> {
  const data = Buffer.from(view.data.buffer, view.data.byteOffset, view.data.byteLength);
  const offsets = view.offsets!;
  const read = columnReader(view);
  function* slices(from: number, end: number): Generator<string> {
    yield '"';
    for (let at = from; at < end; ) {
      const [json, bytes] = cut(data.subarray(at, end));
      yield json;
      at += bytes;
    }
    yield '"';
  }
  return {
    slices(row) {
      const [from, end] = [offsets[row]!, offsets[row + 1]!];
      // A NULL may have bytes too, which mean nothing.
      return end - from > SLICE_BYTES && !isNull(view, row) ? slices(from, end) : undefined;
    },
    whole(row) {
      const value = read(row);
      return value === null ? "null" : quoted(String(value));
    },
  };
}

const cutBinary: Cut = (cell) => {
  const bytes = Math.min(SLICE_BYTES, cell.length);
  return [cell.toString("base64", 0, bytes), bytes];
};

const cutText: Cut = (cell) => {
  let bytes = Math.min(SLICE_BYTES, cell.length);
  // Between characters; the bytes were checked to be UTF-8.
  while (bytes < cell.length && (cell[bytes]! & 0xc0) === 0x80) bytes -= 1;
  return [JSON.stringify(cell.toString("utf8", 0, bytes)).slice(1, -1), bytes];
};

/** JSON can write a negative zero, though `JSON.stringify` does not; it has neither NaN nor infinities. */
function unusualFloat(name: string, text: string): string {
  if (text === "-0") return text;
  throw new SallyportError("value.not_exact", `Column ${name} has a float that JSON has no number for: ${text}.`, {
    column: name,
  });
}
