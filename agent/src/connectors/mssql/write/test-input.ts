/** For tests: rows on their way in, and a writer against an emulated server. */
import { drainBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { checkBatch } from "@sallyport/shared/rows/check.ts";
import { createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import { decodeSchema } from "@sallyport/shared/rows/schema.ts";
import type { Column, ColumnType } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { SqlCall, SqlWrite } from "@sallyport/shared/schema/write-operations.ts";
import type { Grant, Input, Outcome } from "../../connector.ts";
import { createRecorder } from "../test-output.ts";
import type { TestServer } from "../test-server.ts";
import { mssqlWriter } from "./index.ts";

export const column = (name: string, type: ColumnType): Column => ({ name, type, nullable: true, source: "" });
export const int: ColumnType = { kind: "int", bits: 32, signed: true };
export const utf8: ColumnType = { kind: "utf8" };

/** Appends one row's values; undefined is NULL. */
export type Fill = (batch: RowBatch, row: number) => void;

/** Rows as they arrive: encoded and checked, so many to a batch. */
export function inputOf(
  columns: readonly Column[],
  rows: number,
  fill: Fill,
  options: { readonly batchRows?: number; readonly before?: (batch: number) => Promise<void> } = {},
): Input {
  const { batchRows = 1000, before } = options;
  let done = 0;
  let batches = 0;
  return {
    columns: async () => decodeSchema(encodeSchema(columns)).columns,
    async next() {
      await before?.(batches++);
      if (done >= rows) return undefined;
      const batch = createBatch(columns, { ...DEFAULT_LIMITS, batchBytes: 2 ** 24 });
      for (const end = Math.min(done + batchRows, rows); done < end; done++) {
        fill(batch, done);
        batch.rowDone();
      }
      return checkBatch(drainBatch(batch)[0]!.message, columns, DEFAULT_LIMITS);
    },
  };
}

/** Rows of text columns, null for NULL. */
export const textInput = (names: readonly string[], rows: readonly (readonly (string | null)[])[]): Input =>
  inputOf(
    names.map((name) => column(name, utf8)),
    rows.length,
    (batch, row) =>
      rows[row]!.forEach((value, at) => {
        if (value === null) batch.columns[at]!.appendNull();
        else batch.columns[at]!.appendString(value);
      }),
  );

export interface Written {
  readonly outcome: Outcome;
  readonly result: Record<string, unknown>;
}

/** Writes, or calls, as the server's administrator. */
export async function change(
  server: TestServer,
  operation: SqlWrite | SqlCall,
  grant: Grant,
  input: Input,
  signal: AbortSignal = new AbortController().signal,
): Promise<Written> {
  const output = createRecorder();
  const target = { ...server.target, credential: server.administrator, refuseOverPrivileged: false };
  const outcome = await mssqlWriter(target, operation, grant, DEFAULT_LIMITS, { input, output }, signal);
  return { outcome, result: output.results[0] as Record<string, unknown> };
}

export const writeGrant = (key: readonly string[], requestTable?: string): Grant => ({
  kind: "write",
  rule: "w",
  named: true,
  key,
  ...(requestTable === undefined ? {} : { requestTable }),
});
