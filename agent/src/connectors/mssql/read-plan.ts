/** How a table is read: which columns, in which order, up to where. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { SqlTable } from "@sallyport/shared/schema/operations.ts";
import { hasName, sameName } from "../../names.ts";
import { ask } from "./ask.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";
import type { Filter } from "./filter.ts";
import { boundText, type Growing, growingColumn, planGrowing } from "./growing.ts";
import { warnOfOpenTransaction } from "./open-transaction.ts";
import { rowversionBefore, rowversionText } from "./position.ts";
import { refuseReplica } from "./replica.ts";
import type { Session } from "./session.ts";
import type { Statement } from "./statement.ts";

export interface Read {
  readonly table: CatalogTable;
  /** What the output gets, in the order that was asked for. */
  readonly emitted: readonly CatalogColumn[];
  /** Read for the position alone, because nobody asked for them. */
  readonly unseen: readonly CatalogColumn[];
  /** What rows are ordered by; empty where the table has no key. */
  readonly order: readonly CatalogColumn[];
  /** Ordered by rowversion, not by key: a later run of a rowversion pull. */
  readonly byRowversion: boolean;
  readonly rowversion?: CatalogColumn;
  /** Rowversions as 16 hex digits: after `from`, up to `to`. `to` is the plan's bound in every mode that has one. */
  readonly from?: string;
  readonly to?: string;
  readonly warnings?: readonly Warning[];
  /** What stands after FROM in the table's place. */
  readonly source?: Statement;
  /** In mode `column`: by which column, and between which of its values. */
  readonly growing?: Growing;
  /** What the request filters by, besides. */
  readonly filter?: Filter;
}

/** @throws SallyportError `sql.not_found`, `policy.denied`, `request.invalid`, `sql.no_key`, `sql.watermark_lost`. */
export async function planRead(
  session: Session,
  table: CatalogTable,
  operation: SqlTable,
  allowed: "*" | readonly string[],
  signal: AbortSignal,
): Promise<Read> {
  const emitted = chooseColumns(table, operation, allowed);
  if (operation.consistency === "snapshot") return planSnapshot(table, operation, emitted);
  if (operation.watermark === "none") return withOrder({ table, emitted, byRowversion: false }, table.key, allowed);

  if (operation.watermark === "column") return planByColumn(session, table, operation, emitted, allowed, signal);

  const rowversion = table.columns.find(({ declared }) => declared.name === "rowversion");
  if (rowversion === undefined) {
    throw new SallyportError("request.invalid", `${operation.table} has no rowversion column to find changes by.`, {
      table: operation.table,
      field: "operation.watermark",
    });
  }
  requireKey(table, operation);
  requireAllowed([rowversion], allowed);
  const { from } = operation;
  if (from !== undefined && !isRowversion(from)) {
    throw new SallyportError("request.invalid", "The watermark is no rowversion.", { field: "operation.from" });
  }
  await refuseReplica(session, signal);
  const { to, warnings } = await upperBound(session, operation, signal);
  const read = {
    warnings,
    table,
    emitted,
    rowversion,
    to,
    byRowversion: from !== undefined,
    ...(from === undefined ? {} : { from }),
  };
  return withOrder(read, from === undefined ? table.key : [rowversion], allowed);
}

/** All rows of one instant in one statement, in no order, so without positions. */
function planSnapshot(table: CatalogTable, operation: SqlTable, emitted: readonly CatalogColumn[]): Read {
  if (operation.watermark !== "none") {
    throw new SallyportError("request.invalid", "A snapshot is read whole: without a watermark.", {
      field: "operation.consistency",
    });
  }
  return { table, emitted, unseen: [], order: [], byRowversion: false };
}

function requireKey(table: CatalogTable, operation: Pick<SqlTable, "table">): void {
  if (table.key.length > 0) return;
  throw new SallyportError("sql.no_key", `${operation.table} has no key to fold changes by.`, {
    table: operation.table,
  });
}

async function planByColumn(
  session: Session,
  table: CatalogTable,
  operation: SqlTable,
  emitted: readonly CatalogColumn[],
  allowed: "*" | readonly string[],
  signal: AbortSignal,
): Promise<Read> {
  const column = growingColumn(table, operation);
  requireKey(table, operation);
  requireAllowed([column], allowed);
  const growing = await planGrowing(session, table, column, operation, signal);
  const order = [column, ...table.key.filter((part) => part !== column)];
  const to = growing.to === undefined ? {} : { to: boundText(growing.to) };
  return withOrder({ table, emitted, byRowversion: false, growing, ...to }, order, allowed);
}

/** The columns to emit, in the order asked for. @throws SallyportError. */
export function chooseColumns(
  table: Pick<CatalogTable, "columns">,
  operation: Pick<SqlTable, "table" | "columns">,
  allowed: "*" | readonly string[],
): readonly CatalogColumn[] {
  if (operation.columns === "*") {
    return allowed === "*" ? table.columns : table.columns.filter(({ name }) => hasName(allowed, name));
  }
  const columns = operation.columns.map((wanted) => {
    const column = table.columns.find(({ name }) => sameName(name, wanted));
    if (column !== undefined) return column;
    throw new SallyportError("sql.not_found", `${operation.table} has no column ${wanted}.`, { column: wanted });
  });
  if (new Set(columns).size < columns.length) {
    throw new SallyportError("request.invalid", "A column is named twice.", { field: "operation.columns" });
  }
  requireAllowed(columns, allowed);
  return columns;
}

/** Adds the order, and what has to be read for it besides what was asked for. */
export function withOrder(
  read: Omit<Read, "order" | "unseen">,
  order: readonly CatalogColumn[],
  allowed: "*" | readonly string[],
): Read {
  requireAllowed(order, allowed);
  return { ...read, order, unseen: order.filter((column) => !read.emitted.includes(column)) };
}

/** Keys and watermarks are read and leave in positions, so the policy must allow them like any other column. */
export function requireAllowed(columns: readonly CatalogColumn[], allowed: "*" | readonly string[]): void {
  if (allowed === "*") return;
  const hidden = columns.find(({ name }) => !hasName(allowed, name));
  if (hidden === undefined) return;
  throw new SallyportError(
    "policy.denied",
    `The policy does not allow column ${hidden.name}, which is needed to read this table in order.`,
    { column: hidden.name },
  );
}

const isRowversion = (text: string): boolean => /^[0-9a-f]{16}$/.test(text);

/**
 * Everything below it is committed: `MIN_ACTIVE_ROWVERSION() - 1`, fixed once for a run, before its first row.
 * A watermark above the database's current value comes from a history that a restore took away.
 */
async function upperBound(
  session: Session,
  operation: SqlTable,
  signal: AbortSignal,
): Promise<{ readonly to: string; readonly warnings: readonly Warning[] }> {
  const sql = "SELECT MIN_ACTIVE_ROWVERSION() AS active, @@DBTS AS latest";
  const [row] = await ask(session, { sql, parameters: [] }, signal);
  const active = rowversionText(row?.active as Uint8Array);
  const latest = rowversionText(row?.latest as Uint8Array);
  const { from, plan } = operation;
  // A backfill brings its own.
  const planned = plan?.to ?? operation.to;
  if (planned !== undefined && !isRowversion(planned)) {
    throw new SallyportError("request.invalid", "The plan's upper bound is no rowversion.", {
      field: "operation.plan",
    });
  }
  for (const known of [from, planned]) {
    if (known !== undefined && known > latest) {
      throw new SallyportError("sql.watermark_lost", "The database's rowversion is behind the pull's watermark.", {
        watermark: known,
        current: latest,
      });
    }
  }
  if (planned !== undefined) return { to: planned, warnings: [] };
  const before = rowversionBefore(active);
  // An old transaction may hold the bound back; what was read once is not read again.
  const to = from !== undefined && before < from ? from : before;
  const warnings = before < latest ? await warnOfOpenTransaction(session, to === from, signal) : [];
  return { to, warnings };
}
