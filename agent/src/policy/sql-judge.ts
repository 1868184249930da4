/** What the rules of a database's connection make of a request: names that are never allowed, the owner's denials, then who allows it. */
import type { Operation } from "@sallyport/shared/schema/operations.ts";
import { type AllowRule, isReadRule, type MssqlConnection, type MssqlRule } from "@sallyport/shared/schema/policy.ts";
import type { Grant } from "../connectors/connector.ts";
import { isSystemSchema, matchTable, splitTable } from "../names.ts";
import { changeFit, isChange } from "./change.ts";
import { elsewhere, type Fit } from "./fit.ts";
import type { Denied, Ruling } from "./ruling.ts";
import { queryFit, tableFit } from "./table-rules.ts";

export type SqlOperation = Extract<Operation, { op: `sql.${string}` }>;

/** @param inForce rules that end later, and are for this caller */
export function judgeSql(
  connection: MssqlConnection,
  operation: SqlOperation,
  inForce: readonly MssqlRule[],
): Ruling<Grant> {
  const refused = whyRefused(connection, nameOf(operation));
  if (refused !== undefined) return { refused };
  return {
    fits: inForce.flatMap((rule) => ("deny" in rule ? [] : [{ rule, fit: fitOf(rule, operation, inForce) }])),
  };
}

function whyRefused({ rules }: MssqlConnection, named: string | undefined): Denied | undefined {
  if (named === undefined) return undefined;
  const refuse = (reason: string): Denied => ({ code: "policy.denied", reason });
  const parts = splitTable(named);
  if (parts === undefined) return refuse("Only tables named as schema.table can be allowed.");
  if (isSystemSchema(parts[0])) return refuse("Nothing in sys and INFORMATION_SCHEMA is ever allowed.");
  const against = rules.find(
    (rule) => "deny" in rule && rule.tables.some((pattern) => matchTable(pattern, named) !== undefined),
  );
  return against === undefined ? undefined : { ...refuse(`A rule denies ${named}.`), rule: against.id };
}

function fitOf(rule: AllowRule, operation: SqlOperation, inForce: readonly MssqlRule[]): Fit<Grant> {
  if (isChange(operation)) return changeFit(rule, operation);
  if (!isReadRule(rule)) return elsewhere;
  if ("tables" in rule) return operation.op === "sql.query" ? elsewhere : tableFit(rule, operation, inForce);
  return operation.op === "sql.query" ? queryFit(rule, operation) : elsewhere;
}

/** The table or procedure that a request names. */
export function nameOf(operation: SqlOperation): string | undefined {
  if (operation.op === "sql.query") return undefined;
  return operation.op === "sql.call" ? operation.procedure : operation.table;
}

export function describeSql(operation: SqlOperation): string {
  if (operation.op === "sql.call") return `calling ${operation.procedure}`;
  if (operation.op === "sql.write") return `${operation.action} of these columns in ${operation.table}`;
  if (operation.op === "sql.query") {
    return operation.raw === undefined ? `the statement ${operation.statement}` : "raw SQL";
  }
  if (operation.op === "sql.schema") return `showing ${operation.table ?? "what there is"}`;
  const columns = operation.columns === "*" ? "every column" : "these columns";
  const filtered = operation.op === "sql.table" && operation.filter !== undefined ? " by this filter" : "";
  return `reading ${operation.op === "sql.changes" ? "changes in " : ""}${columns} of ${operation.table}${filtered}`;
}
