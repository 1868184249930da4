/** The table that is written to, as the server has it: resolved once for each request, before a row is taken. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { TYPES } from "tedious";
import { sameName } from "../../../names.ts";
import { ask } from "../ask.ts";
import { resolveTable } from "../catalog.ts";
import { canBeKey } from "../key-parameter.ts";
import type { Session } from "../session.ts";
import { quoteName } from "../statement.ts";
import { type TargetColumn, wireOf } from "./target-column.ts";

export interface Target {
  /** Quoted, for a statement. */
  readonly table: string;
  /** The request's columns, in its order. */
  readonly columns: readonly TargetColumn[];
  /** Those of them by which rows are found. */
  readonly key: readonly TargetColumn[];
}

const GENERATED = `SELECT c.name AS name, c.is_identity AS isIdentity, c.is_computed AS isComputed
FROM sys.columns c WHERE c.object_id = OBJECT_ID(@table)`;

/**
 * @param named the policy names this very object
 * @throws sql.not_found, policy.denied; request.invalid for a column that cannot be written
 */
export async function resolveTarget(
  session: Session,
  wanted: {
    readonly table: string;
    readonly columns: readonly string[];
    readonly key: readonly string[];
    readonly named: boolean;
    /** Rows may be inserted: a column that the server fills by itself can then only be part of nothing. */
    readonly inserts: boolean;
  },
  signal: AbortSignal,
): Promise<Target> {
  const found = await resolveTable(session, wanted.table, wanted, signal);
  // Its rows take no locks, and no transaction that waits for them: UPDLOCK and HOLDLOCK are refused there (error 10794).
  if (found.isInMemory === true) {
    throw new SallyportError("request.invalid", `${wanted.table} is memory-optimized: nothing is written into it.`, {
      field: "operation.table",
    });
  }
  const table = `${quoteName(found.schema)}.${quoteName(found.name)}`;
  const filled = await generatedColumns(session, table, signal);
  const pages = await codePages(
    session,
    found.columns.flatMap(({ collation }) => collation ?? []),
    signal,
  );
  const isKey = (name: string): boolean => wanted.key.some((one) => sameName(one, name));
  const columns = wanted.columns.map((name): TargetColumn => {
    const column = found.columns.find((one) => sameName(one.name, name));
    if (column === undefined) {
      throw new SallyportError("sql.not_found", `${wanted.table} has no column ${name}.`, { column: name });
    }
    if (filled.has(column.name) && (wanted.inserts || !isKey(name))) {
      throw new SallyportError("request.invalid", `The server fills column ${name} by itself: leave it out.`, {
        column: name,
      });
    }
    const isNarrow = /^(var)?char$/.test(column.declared.name);
    const target = { ...column, codePage: isNarrow ? pages.get(column.collation ?? "") : undefined };
    wireOf(target);
    if (isKey(name) && !canBeKey(column.declared)) {
      throw new SallyportError("request.invalid", `Rows cannot be found by column ${name}.`, { column: name });
    }
    // NULL equals nothing, so a key without a value would find no row, silently.
    return isKey(name) ? { ...target, nullable: false } : target;
  });
  return { table, columns, key: columns.filter(({ name }) => isKey(name)) };
}

/** Identity and computed columns. */
async function generatedColumns(session: Session, table: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const parameters = [{ name: "table", type: TYPES.NVarChar, value: table, length: 300 }];
  const rows = await ask(session, { sql: GENERATED, parameters }, signal);
  const filled = rows.filter(({ isIdentity, isComputed }) => isIdentity === true || isComputed === true);
  return new Set(filled.map(({ name }) => String(name)));
}

/** The number of each collation's code page. Names of collations are identifiers, checked where they were read. */
async function codePages(
  session: Session,
  collations: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const names = [...new Set(collations)];
  if (names.length === 0) return new Map();
  const sql = `SELECT ${names.map((name, at) => `CAST(COLLATIONPROPERTY('${name}', 'CodePage') AS int) AS p${at}`).join(", ")}`;
  const [row] = await ask(session, { sql, parameters: [] }, signal);
  return new Map(names.map((name, at) => [name, Number(row?.[`p${at}`] ?? 0)]));
}
