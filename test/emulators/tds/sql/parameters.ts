/** Parameters as they are declared, and the arguments for them. */
import { convert } from "../values/convert.ts";
import { sqlError } from "../values/errors.ts";
import { MAX, type SqlType, type SqlValue, sqlType } from "../values/type.ts";
import { type Cursor, dataType, dottedName, list, next, peek, syntaxError, take } from "./cursor.ts";
import { tokenize } from "./lexer.ts";
import { parseQuery } from "./parse-query.ts";
import type { TableRows, Variable } from "./state.ts";

/** What a parameter of a table type counts as, where a type is asked for. */
export const TABLE_STAND_IN: SqlType = sqlType("nvarchar", { length: MAX });

export interface Parameter {
  readonly name: string;
  readonly type: SqlType;
  readonly output: boolean;
}

/** `@a int, @b nvarchar(10) OUTPUT`, as sp_executesql and sp_prepare declare parameters. */
export function parseParameters(text: string): Parameter[] {
  const cursor: Cursor = { text, tokens: tokenize(text), at: 0, query: parseQuery };
  if (peek(cursor).kind === "end") return [];
  const parameters = list(cursor, (inner): Parameter => {
    const token = next(inner);
    if (token.kind !== "variable") throw syntaxError(token);
    take(inner, "AS");
    if (isTableType(inner)) return { name: token.text.toLowerCase(), type: TABLE_STAND_IN, output: false };
    const type = dataType(inner, 1);
    const output = take(inner, "OUTPUT") || take(inner, "OUT");
    return { name: token.text.toLowerCase(), type, output };
  });
  if (peek(cursor).kind !== "end") throw syntaxError(peek(cursor));
  return parameters;
}

/** Takes `dbo.OrderLines READONLY` where it is next. */
function isTableType(cursor: Cursor): boolean {
  const from = cursor.at;
  if (peek(cursor).kind === "word" || peek(cursor).kind === "quoted") {
    dottedName(cursor);
    if (take(cursor, "READONLY")) return true;
  }
  cursor.at = from;
  return false;
}

export interface Argument {
  readonly name: string;
  readonly type: SqlType | null;
  readonly value: SqlValue;
  /** Rows in the place of a value. */
  readonly table?: TableRows;
}

/** Arguments by name or, unnamed, by place. Throws error 8178 for one that is missing, 8144 for one too many. */
export function bindParameters(
  declared: readonly Parameter[],
  given: readonly Argument[],
  text: string,
): Map<string, Variable> {
  if (given.length > declared.length) throw sqlError(8144, "sp_executesql");
  const variables = new Map<string, Variable>();
  declared.forEach((parameter, at) => {
    const named = given.find((argument) => argument.name.toLowerCase() === parameter.name);
    const argument = named ?? (given[at]?.name === "" ? given[at] : undefined);
    if (argument === undefined && !parameter.output) throw sqlError(8178, text.slice(0, 100), parameter.name);
    const value =
      argument === undefined || argument.type === null ? null : convert(argument.value, argument.type, parameter.type);
    const { table } = argument ?? {};
    variables.set(parameter.name, { type: parameter.type, value, ...(table === undefined ? {} : { table }) });
  });
  return variables;
}
