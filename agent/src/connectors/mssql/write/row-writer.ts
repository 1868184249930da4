/** A batch's rows as the server takes them in a bulk load: token, ordinal, then each value [MS-TDS 2.2.6.1]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { CheckedBatch } from "@sallyport/shared/rows/check.ts";
import { sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import { cellWriter, type PutCell } from "./cell.ts";
import { createRowBytes } from "./row-bytes.ts";
import type { TargetColumn } from "./target-column.ts";
import { Unfit } from "./wire-value.ts";

const ROW_TOKEN = 0xd1;
/** Large enough that a chunk costs nothing beside its bytes. */
const CHUNK_BYTES = 128 * 1024;

export interface RowWriter {
  /** Rows of the request so far. */
  readonly rows: number;
  /**
   * The batch in chunks, each row with its number from 0 first, as INT.
   * @throws value.not_exact with `row` and `column` for a value that its column cannot hold as it is
   */
  write(batch: CheckedBatch): Generator<Buffer>;
}

export function createRowWriter(targets: readonly TargetColumn[]): RowWriter {
  const out = createRowBytes();
  let rows = 0;
  return {
    get rows() {
      return rows;
    },
    *write(batch) {
      const cells = batch.columns.map((view, at) => cellWriter(out, view, targets[at]!));
      for (let row = 0; row < batch.rows; row++) {
        out.reserve(6);
        out.buffer[out.at++] = ROW_TOKEN;
        out.buffer[out.at++] = 4;
        out.at = out.buffer.writeInt32LE(rows, out.at);
        writeCells(cells, row, rows, targets);
        rows += 1;
        if (out.at >= CHUNK_BYTES) yield out.take();
      }
      if (out.at > 0) yield out.take();
    },
  };
}

/** @throws value.not_exact */
function writeCells(cells: readonly PutCell[], row: number, ordinal: number, targets: readonly TargetColumn[]): void {
  let at = 0;
  try {
    for (; at < cells.length; at++) cells[at]!(row);
  } catch (error) {
    throw error instanceof Unfit ? unfit(error, targets[at]!, ordinal) : error;
  }
}

/** Names the column and the row, never the value. */
function unfit({ message }: Unfit, { name, declared }: TargetColumn, row: number): SallyportError {
  const source = sqlServerTypeText(declared);
  const text = `Row ${row}, counted from 0: the value for column ${name} (${source}) ${message}. Nothing was written.`;
  return new SallyportError("value.not_exact", text, { row, column: name, source });
}
