/** What the owner's rules leave of a request that reads a database: tables, their changes, what there is, statements. */
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import type { SqlChanges, SqlQuery, SqlSchema, SqlTable } from "@sallyport/shared/schema/operations.ts";
import { isReadRule, type MssqlRule, type TableRule } from "@sallyport/shared/schema/policy.ts";
import type { RawRule, StatementRule } from "@sallyport/shared/schema/policy-rules.ts";
import type { Grant } from "../connectors/connector.ts";
import { maskOf } from "../masks/mask-of.ts";
import { hasName, matchTable } from "../names.ts";
import { elsewhere, type Fit, type Misuse, nearly } from "./fit.ts";
import { sameValue } from "./limits.ts";

export type OnTables = SqlTable | SqlChanges | SqlSchema;
type TableGrant = Extract<Grant, { kind: "table" }>;

/** The word of `allow` that each operation on tables needs. */
export const TABLE_WORDS = { "sql.table": "table", "sql.changes": "changes", "sql.schema": "schema" } as const;

export function tableFit(rule: TableRule, operation: OnTables, inForce: readonly MssqlRule[]): Fit<Grant> {
  const { op, table } = operation;
  const fits = table === undefined ? [] : rule.tables.map((pattern) => matchTable(pattern, table));
  if (table !== undefined && fits.every((fit) => fit === undefined)) return elsewhere;
  const word = TABLE_WORDS[op];
  if (!rule.allow.includes(word)) return table === undefined ? elsewhere : nearly(`does not say \`${word}\``);
  if (op === "sql.schema") return { grant: { kind: "schema", rule: rule.id, ...shownBy(inForce) } };
  const missing = uncovered(rule.columns, operation.columns);
  if (missing !== undefined) return nearly(`does not list ${missing}`);
  const hidden = comparedBy(operation).find((column) => !mayCompare(rule, column));
  if (hidden !== undefined) return nearly(`lets nothing be compared with ${hidden}, or ordered by it`);
  const mask = rule.mask === undefined || Object.keys(rule.mask).length === 0 ? {} : { mask: rule.mask };
  return { grant: { kind: "table", rule: rule.id, columns: rule.columns, ...mask, named: fits.includes("name") } };
}

/** Columns that the request compares with values of its own. Their answers would tell what a mask hides. */
function comparedBy(operation: SqlTable | SqlChanges): string[] {
  if (operation.op === "sql.changes") return [];
  const grown = operation.watermarkColumn === undefined ? [] : [operation.watermarkColumn];
  return [...(operation.filter ?? []).map(({ column }) => column), ...grown];
}

function mayCompare(rule: TableRule, column: string): boolean {
  if (isMasked(rule.mask, column)) return false;
  if (rule.columns !== "*" && !hasName(rule.columns, column)) return false;
  return rule.filterOn === undefined || hasName(rule.filterOn, column);
}

const isMasked = (masks: Masks | undefined, column: string): boolean => hasName(Object.keys(masks ?? {}), column);

/** `*` asks for every column that the table has, so only a rule for every column allows it: nothing is cut silently. */
function uncovered(allowed: "*" | readonly string[], asked: "*" | readonly string[]): string | undefined {
  if (allowed === "*") return undefined;
  return asked === "*" ? "every column" : asked.find((column) => !hasName(allowed, column));
}

/** Whether two rules that allow the same request would have a column of it leave in two ways. */
export function disagree(grants: readonly Grant[], asked: "*" | readonly string[]): boolean {
  const tables = grants.filter((grant): grant is TableGrant => grant.kind === "table");
  const columns = asked === "*" ? tables.flatMap(({ mask }) => Object.keys(mask ?? {})) : asked;
  return columns.some((column) => {
    const words = tables.map(({ mask }) => JSON.stringify(maskOf(mask, column) ?? "as it is"));
    return new Set(words).size > 1;
  });
}

const maskedBy = ({ mask }: TableRule): { readonly masked?: readonly string[] } =>
  mask === undefined ? {} : { masked: Object.keys(mask) };

/** A list of what there is shows what any rule with `schema` shows, each table as the first such rule has it. */
function shownBy(rules: readonly MssqlRule[]): Pick<Extract<Grant, { kind: "schema" }>, "shown" | "hidden"> {
  return {
    shown: rules.flatMap((rule) =>
      isReadRule(rule) && "tables" in rule && rule.allow.includes("schema")
        ? [{ tables: rule.tables, columns: rule.columns, ...maskedBy(rule) }]
        : [],
    ),
    hidden: rules.flatMap((rule) => ("deny" in rule ? rule.tables : [])),
  };
}

export function queryFit(rule: StatementRule | RawRule, operation: SqlQuery): Fit<Grant> {
  if (!("name" in rule)) return operation.raw === undefined ? elsewhere : { grant: { kind: "raw", rule: rule.id } };
  if (operation.statement !== rule.name) return elsewhere;
  const misuse = whyMisused(rule, operation);
  if (misuse !== undefined) return { misuse };
  const parameters = Object.entries(rule.parameters).map(([name, { type }]) => [name, type] as const);
  const { id, sql, returns } = rule;
  return { grant: { kind: "statement", rule: id, sql, parameters: Object.fromEntries(parameters), returns } };
}

/** A statement's parameters are exactly the declared ones, with values that the owner lists where they list any. */
function whyMisused(rule: StatementRule, { parameters: given }: SqlQuery): Misuse | undefined {
  const surplus = Object.keys(given).find((name) => !Object.hasOwn(rule.parameters, name));
  if (surplus !== undefined) return { code: "request.invalid", reason: `The statement has no parameter @${surplus}.` };
  for (const [name, declared] of Object.entries(rule.parameters)) {
    if (!Object.hasOwn(given, name)) {
      return { code: "request.invalid", reason: `The statement's parameter @${name} has no value.` };
    }
    if ("in" in declared && !declared.in.some((value) => sameValue(value, given[name]))) {
      return { code: "policy.denied", reason: `The policy does not list this value of @${name}.` };
    }
  }
  return undefined;
}
