/** sp_describe_first_result_set: the columns that a batch would give, without running it. */

import { sqlError } from "../values/errors.ts";
import { partsOf } from "../values/parts.ts";
import { describe, isString, type SqlType, type SqlValue, sqlType, TYPES } from "../values/type.ts";
import type { ResultColumn } from "./bound.ts";
import type { Parameter } from "./parameters.ts";
import { parseBatch } from "./parse.ts";
import { queryOf, type Run, SELECT_COMMAND } from "./run.ts";
import { catalogTypeName, sizes } from "./system-tables.ts";

const NAME = sqlType("nvarchar", { length: 128 });
const INT = sqlType("int");
const BIT = sqlType("bit");

const SHAPE: readonly (readonly [string, SqlType])[] = [
  ["is_hidden", BIT],
  ["column_ordinal", INT],
  ["name", NAME],
  ["is_nullable", BIT],
  ["system_type_id", INT],
  ["system_type_name", NAME],
  ["max_length", sqlType("smallint")],
  ["precision", sqlType("tinyint")],
  ["scale", sqlType("tinyint")],
  ["collation_name", NAME],
  ["is_identity_column", BIT],
];

export async function describeFirstResultSet(run: Run, text: string, parameters: readonly Parameter[]): Promise<void> {
  const { state, sink } = run;
  const outer = state.variables;
  state.variables = new Map(parameters.map(({ name, type }) => [name, { type, value: null }]));
  try {
    const statement = parseBatch(text).find((s) => s.is === "query");
    if (statement?.is !== "query") throw sqlError(20001, "The batch has no result set.");
    const described = queryOf(state, statement.query).query.columns.map(row);
    const columns: ResultColumn[] = SHAPE.map(([name, type]) => ({ name, type, nullable: true, identity: false }));
    sink.columns(columns);
    if (SHAPE.some(([, type]) => partsOf(type, "").length > 1)) throw new Error("no column here is in parts");
    state.rowCount = await sink.rows(described, columns);
    sink.done(state.rowCount, SELECT_COMMAND);
  } finally {
    state.variables = outer;
  }
}

function row(column: ResultColumn, at: number): SqlValue[] {
  const [length, precision, scale] = sizes(column.type);
  const { systemId } = TYPES[column.type.name];
  const name = column.type.name === "rowversion" ? catalogTypeName("rowversion") : describe(column.type);
  const collation = isString(column.type) ? column.type.collation.name : null;
  const flags = [column.nullable ? 1 : 0, column.identity ? 1 : 0] as const;
  return [0, at + 1, column.name, flags[0], systemId, name, length, precision, scale, collation, flags[1]];
}
