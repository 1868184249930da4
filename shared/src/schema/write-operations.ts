/** Operations that change a system: rows written into a table, a procedure called. */
import { z } from "zod";
import { columnName, parameterValue, tableName } from "./operation-words.ts";

/**
 * What is done with the rows that follow the request. `insert` adds them; `update` and `delete` find theirs by key;
 * `upsert` updates those that are there and inserts the others; `replace` makes the whole table the rows given.
 */
export const writeAction = z.enum(["insert", "update", "upsert", "delete", "replace"]);
export type WriteAction = z.infer<typeof writeAction>;

/**
 * Names one write for ever: a second one under the same key changes nothing and answers what the first one did. Kept in
 * a table of the owner's choosing, in the transaction of the write itself.
 */
export const idempotencyKey = z.string().regex(/^[A-Za-z0-9._:-]{1,120}$/, "use 1 to 120 letters, digits, . _ : or -");

/** The rows come after the request, in frames 0x22 to 0x24. */
export const sqlWrite = z.strictObject({
  op: z.literal("sql.write"),
  table: tableName,
  action: writeAction,
  /** What the rows hold, in this order: at least the policy's key, where rows are found by it; for `delete` just that. */
  columns: z.array(columnName).min(1).max(1024),
  idempotencyKey: idempotencyKey.optional(),
});
export type SqlWrite = z.infer<typeof sqlWrite>;

/** Rows for a table-valued parameter, values in the order of the policy's columns; their number and size are the request's. */
const tableValue = z.strictObject({
  columns: z.array(columnName).min(1).max(1024),
  rows: z.array(z.array(parameterValue).max(1024)).max(10_000),
});
export type TableValue = z.infer<typeof tableValue>;

export const sqlCall = z.strictObject({
  op: z.literal("sql.call"),
  /** `schema.name`. */
  procedure: tableName,
  parameters: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), z.union([parameterValue, tableValue]))
    .default({}),
  /**
   * What the caller takes the procedure for. `read`: it may be repeated; refused where the owner's policy says that it
   * writes.
   */
  effect: z.enum(["read", "write"]).default("write"),
  idempotencyKey: idempotencyKey.optional(),
});
export type SqlCall = z.infer<typeof sqlCall>;

/** Whether a request that was sealed may be sealed again without changing anything twice. */
export const isRepeatable = (operation: { readonly op: string; readonly dryRun?: boolean }): boolean => {
  if (operation.op === "ad.write") return operation.dryRun === true;
  if (operation.op !== "sql.write" && operation.op !== "sql.call") return true;
  const { idempotencyKey: key, effect } = operation as Partial<SqlCall>;
  return key !== undefined || effect === "read";
};
