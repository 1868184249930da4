/** Which views, procedures and functions read given tables: of what they read no mask of the policy follows. */
import { matchTable } from "../../names.ts";
import type { Target } from "../connector.ts";
import { ask } from "./ask.ts";
import { withSession } from "./connect.ts";

// What the login may not see the definition of is not in it [sys.sql_expression_dependencies, "Permissions"].
const DEPENDENCIES = `SELECT s.name AS schemaName, o.name AS objectName, o.type AS type,
d.referenced_schema_name AS ofSchema, d.referenced_entity_name AS ofName
FROM sys.sql_expression_dependencies d JOIN sys.objects o ON o.object_id = d.referencing_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
WHERE d.referenced_database_name IS NULL AND o.type IN ('V', 'P', 'FN', 'IF', 'TF')`;

const KINDS: Readonly<Record<string, string>> = {
  V: "view",
  P: "procedure",
  FN: "function",
  IF: "function",
  TF: "function",
};
const CELL_BYTES = 4096;

export interface Reader {
  readonly name: string;
  readonly kind: string;
  /** The table, or what reads it in turn. */
  readonly reads: string;
}

export type DependencyRow = Readonly<Record<string, unknown>>;

/** @param tables names and patterns of the policy. @throws SallyportError `connection.*`, `sql.*`. */
export function readersOfTables(target: Target, tables: readonly string[], signal: AbortSignal): Promise<Reader[]> {
  const statement = { sql: DEPENDENCIES, parameters: [] };
  const find = async (session: Parameters<typeof ask>[0]) =>
    readersAmong(await ask(session, statement, signal), tables);
  return withSession(target, CELL_BYTES, find, signal);
}

/** Also those that read a reader, to the end of the chain. */
export function readersAmong(rows: readonly DependencyRow[], tables: readonly string[]): Reader[] {
  const found: Reader[] = [];
  let wanted = tables;
  while (wanted.length > 0) {
    const next = rows.flatMap((row): Reader[] => {
      const name = `${row.schemaName}.${row.objectName}`;
      const reads = readOf(row, wanted);
      if (reads === undefined || found.some((one) => one.name === name)) return [];
      return [{ name, kind: KINDS[String(row.type).trim()] ?? "object", reads }];
    });
    const fresh = next.filter(({ name }, at) => next.findIndex((one) => one.name === name) === at);
    found.push(...fresh);
    wanted = fresh.map(({ name }) => name);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A name without a schema is whatever its caller's default schema makes of it: any of that name may be meant. */
function readOf({ ofSchema, ofName }: DependencyRow, wanted: readonly string[]): string | undefined {
  const name = String(ofName);
  if (typeof ofSchema === "string" && ofSchema !== "") {
    const full = `${ofSchema}.${name}`;
    return wanted.some((pattern) => matchTable(pattern, full) !== undefined) ? full : undefined;
  }
  const meant = wanted.find((pattern) => matchTable(pattern, `${pattern.split(".")[0]}.${name}`) !== undefined);
  return meant === undefined ? undefined : name;
}
