/** How far a read has got, as text that only this connector understands. */
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createBatch, type KeyValue } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { appenderFor } from "./decode.ts";
import type { ValueSink } from "./sink.ts";
import type { WireColumn } from "./wire.ts";

const MAX_POSITION_LENGTH = 4096;
const KEY_BYTES = 8192;

/** After a row's key: a JSON array of its parts. After a rowversion: its 16 hex digits. After an LSN: its 20. */
export type Position =
  | { readonly key: readonly KeyValue[] }
  | { readonly rowversion: string }
  | { readonly lsn: string };

export function positionText(position: Position): string {
  const text =
    "key" in position ? JSON.stringify(position.key) : "lsn" in position ? position.lsn : position.rowversion;
  if (text.length <= MAX_POSITION_LENGTH) return text;
  throw new SallyportError("limit.bytes", "A row's key is too long for a position.", { bytes: MAX_POSITION_LENGTH });
}

/** @throws SallyportError `request.invalid` for what `positionText` never gave. */
export function parsePosition(text: string): Position {
  if (/^[0-9a-f]{16}$/.test(text)) return { rowversion: text };
  if (/^[0-9a-f]{20}$/.test(text)) return { lsn: text };
  const value = parseJson(text);
  if (Array.isArray(value) && value.every((part) => typeof part === "string" || typeof part === "boolean")) {
    return { key: value };
  }
  throw new SallyportError("request.invalid", "The position is not one of this connector's.", {
    field: "operation.position",
  });
}

export interface KeyReader {
  /** The key of the row that the sinks saw last, as exact text. */
  read(): readonly KeyValue[];
}

/** Decodes what the sinks remember, only when a position is wanted: a key costs nothing for each row. */
export function createKeyReader(
  columns: readonly Column[],
  wires: readonly WireColumn[],
  sinks: readonly ValueSink[],
): KeyReader {
  const batch = createBatch(columns, { cellBytes: KEY_BYTES, rowBytes: 2 * KEY_BYTES });
  const appends = wires.map((wire, at) => appenderFor(wire, batch.columns[at]!));
  const names = columns.map(({ name }) => name);
  return {
    read() {
      appends.forEach((append, at) => {
        const { buffer, start, end } = sinks[at]!.last();
        append?.(buffer, start, end);
      });
      batch.rowDone();
      const key = batch.takeLastKey(names);
      batch.clear();
      return key;
    },
  };
}

const hexOf = (bytes: bigint): string => bytes.toString(16).padStart(16, "0");

/** A rowversion as 16 hex digits; such texts compare as their values do. */
export const rowversionText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").padStart(16, "0");

/** The one before it; before the first there is none. */
export const rowversionBefore = (text: string): string => {
  const value = BigInt(`0x${text}`);
  return hexOf(value === 0n ? 0n : value - 1n);
};
