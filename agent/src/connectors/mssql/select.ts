/** The statements that read a table. Names are quoted by us, values are bound, `*` is never sent. */
import { TYPES } from "tedious";
import type { CatalogColumn } from "./catalog.ts";
import { growingConditions } from "./growing.ts";
import { keyParameter } from "./key-parameter.ts";
import type { Position } from "./position.ts";
import type { Read } from "./read-plan.ts";
import { type Parameter, quoteName, quoteTable, type Statement } from "./statement.ts";

const selected = ({ name, expression }: CatalogColumn): string =>
  expression === undefined ? quoteName(name) : `${expression} AS ${quoteName(name)}`;

/** @param rows at most so many; undefined reads to the end. */
export function sliceStatement(read: Read, after: Position | undefined, rows: number | undefined): Statement {
  const { table, emitted, unseen, order } = read;
  const parameters: Parameter[] = [...(read.source?.parameters ?? [])];
  const conditions: string[] = [];
  const compareRowversion = (operator: string, name: string, hex: string): void => {
    parameters.push({ name, type: TYPES.Binary, value: Buffer.from(hex, "hex"), length: 8 });
    conditions.push(`${quoteName(read.rowversion!.name)} ${operator} @${name}`);
  };
  if (after !== undefined && "key" in after) conditions.push(afterKey(read, after.key, parameters));
  if (read.filter !== undefined) {
    conditions.push(...read.filter.conditions);
    parameters.push(...read.filter.parameters);
  }
  if (read.growing !== undefined) conditions.push(...growingConditions(read.growing, parameters));
  const from = after !== undefined && "rowversion" in after ? after.rowversion : read.from;
  if (from !== undefined) compareRowversion(">", "from", from);
  if (read.rowversion !== undefined && read.to !== undefined) compareRowversion("<=", "to", read.to);
  if (rows !== undefined) parameters.push({ name: "n", type: TYPES.Int, value: rows });

  const list = [...emitted, ...unseen].map(selected).join(", ");
  const sql = [
    `SELECT ${rows === undefined ? "" : "TOP (@n) "}${list}`,
    `FROM ${read.source?.sql ?? quoteTable(table)}`,
    conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`,
    order.length === 0 ? "" : `ORDER BY ${order.map(({ name }) => quoteName(name)).join(", ")}`,
  ];
  return { sql: sql.filter((part) => part !== "").join(" "), parameters };
}

/**
 * `(a, b) > (1, 2)` spelled out, as SQL Server has no comparison of rows. The first condition alone bounds the read of
 * the index.
 */
function afterKey(read: Read, key: Extract<Position, { key: unknown }>["key"], parameters: Parameter[]): string {
  const parts = read.order.map((column, at) => {
    const { expression, parameter } = keyParameter(`k${at}`, column.declared, column.collation, key[at] ?? null);
    parameters.push(parameter);
    return { name: quoteName(column.name), expression };
  });
  const [first] = parts;
  if (parts.length === 1) return `${first!.name} > ${first!.expression}`;
  const alternatives = parts.map(({ name, expression }, at) => {
    const equal = parts.slice(0, at).map((part) => `${part.name} = ${part.expression}`);
    return `(${[...equal, `${name} > ${expression}`].join(" AND ")})`;
  });
  return `${first!.name} >= ${first!.expression} AND (${alternatives.join(" OR ")})`;
}
