/** Expressions of T-SQL as expressions of SQLite, each with its SQL Server type. */
import { sqlError } from "../values/errors.ts";
import { COLLATIONS, isString, MAX, type SqlType, sqlType } from "../values/type.ts";
import type { Expression } from "./ast.ts";
import { arithmetic } from "./bind-arithmetic.ts";
import { bindCall } from "./bind-call.ts";
import {
  type Binding,
  type Bound,
  commonType,
  comparable,
  computed,
  constant,
  converted,
  INT,
  type Scope,
} from "./bound.ts";
import { syntaxError } from "./cursor.ts";

/** Throws error 207, 209, 137, 195 and those of conversions; a condition has `condition` set. */
export function bindExpression(binding: Binding, scope: Scope | null, expression: Expression): Bound {
  const bind = (inner: Expression): Bound => bindExpression(binding, scope, inner);
  const value = (inner: Expression): Bound => bindValue(binding, scope, inner);
  switch (expression.is) {
    case "literal":
      return constant(binding, expression.value, expression.type);
    case "variable":
      return bindVariable(binding, expression);
    case "column":
      return bindColumn(binding, scope, expression);
    case "call":
      return bindCall({ binding, expression, value, condition: (inner) => bindCondition(binding, scope, inner) });
    case "cast": {
      const style = expression.style === null ? 0 : Number(value(expression.style).constant ?? 0);
      return converted(binding, value(expression.of), expression.to, style, expression.safe);
    }
    case "case":
      return bindCase(binding, scope, expression);
    case "arithmetic":
      return arithmetic(binding, expression.operator, value(expression.left), value(expression.right));
    case "negate":
      return arithmetic(binding, `unary ${expression.operator}`, value(expression.of), constant(binding, 0, INT));
    case "collate":
      return collated(value(expression.of), expression.collation);
    case "subquery": {
      const query = binding.query(binding, expression.query, scope);
      const [first] = query.columns;
      if (first === undefined || query.columns.length > 1) throw sqlError(102, ",");
      return computed(`(${query.sql})`, first.type);
    }
    case "compare":
      return compare(binding, expression.operator, value(expression.left), value(expression.right));
    case "logic":
      return condition(`(${bind(expression.left).sql} ${expression.operator} ${bind(expression.right).sql})`);
    case "not":
      return condition(`(NOT ${bind(expression.of).sql})`);
    case "null":
      return condition(`(${value(expression.of).sql} IS ${expression.not ? "NOT " : ""}NULL)`);
    case "exists":
      return condition(`EXISTS (${binding.query(binding, expression.query, scope).sql})`);
    case "in":
      return bindIn(binding, scope, expression);
    case "between": {
      const of = value(expression.of);
      const low = compare(binding, ">=", of, value(expression.low));
      const high = compare(binding, "<=", of, value(expression.high));
      return condition(`${expression.not ? "NOT " : ""}(${low.sql} AND ${high.sql})`);
    }
    case "like":
      return like(binding, expression, value);
  }
}

function like(binding: Binding, expression: Expression & { is: "like" }, value: (of: Expression) => Bound): Bound {
  const text = sqlType("nvarchar", { length: MAX });
  const of = value(expression.of);
  const escapeBy = expression.escape === null ? "''" : converted(binding, value(expression.escape), text).sql;
  const pattern = converted(binding, value(expression.pattern), text).sql;
  const collation = of.type !== null && isString(of.type) ? of.type.collation.sqlite : "NOCASE";
  const call = `tlike(${converted(binding, of, text).sql},${pattern},${escapeBy},'${collation}')`;
  return condition(`(${call} = ${expression.not ? 0 : 1})`);
}

function collated(bound: Bound, name: string): Bound {
  const collation = COLLATIONS.find((c) => c.name.toLowerCase() === name.toLowerCase());
  if (collation === undefined || bound.type === null) throw sqlError(102, name);
  return { ...bound, type: { ...bound.type, collation } };
}

const condition = (sql: string): Bound => ({ sql, type: INT, nullable: true, condition: true });

/** A value; a condition in its place is error 102, as T-SQL has no boolean values. */
export function bindValue(binding: Binding, scope: Scope | null, expression: Expression): Bound {
  const bound = bindExpression(binding, scope, expression);
  if (bound.condition === true) throw sqlError(102, "=");
  return bound;
}

/** A condition; a value in its place is a syntax error. */
export function bindCondition(binding: Binding, scope: Scope | null, expression: Expression): string {
  const bound = bindExpression(binding, scope, expression);
  if (bound.condition !== true) {
    throw "token" in expression ? syntaxError(expression.token) : sqlError(102, ")");
  }
  return bound.sql;
}

export function compare(binding: Binding, operator: string, left: Bound, right: Bound): Bound {
  const type = comparisonType(left, right);
  const [a, b] = [converted(binding, left, type), converted(binding, right, type)];
  return condition(`(${comparable(a)} ${operator} ${comparable(b)})`);
}

// Strings are compared as they are, by the column's collation if there is a column; a cut would change the answer.
function comparisonType(left: Bound, right: Bound): SqlType {
  const type = commonType(left.type, right.type);
  if (!isString(type)) return type;
  const column = left.column ?? right.column;
  const explicit = [left.type, right.type].find((t) => t !== null && isString(t) && t.collation.sqlite === "BINARY");
  const collation = column?.column.type.collation ?? explicit?.collation ?? type.collation;
  return sqlType("nvarchar", { length: MAX, collation: explicit?.collation ?? collation });
}

function bindVariable(binding: Binding, expression: Expression & { is: "variable" }): Bound {
  const { state } = binding;
  const name = expression.name.toLowerCase();
  const variable = state.variables.get(name);
  if (variable !== undefined) {
    // Parameters stay parameters, so that SQLite's plan does not depend on them.
    const bound = constant(binding, variable.value, variable.type);
    return bound;
  }
  const own = globalVariable(binding, name);
  if (own !== null) return own;
  throw sqlError(137, expression.name);
}

const VERSION = `Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64)
	Emulated for tests; no part of it is Microsoft's`;

function globalVariable(binding: Binding, name: string): Bound | null {
  const { state } = binding;
  const int = (value: number): Bound => constant(binding, value, INT);
  switch (name) {
    case "@@rowcount":
      return int(state.rowCount);
    case "@@error":
      return int(state.lastError);
    case "@@spid":
      return constant(binding, state.spid, sqlType("smallint"));
    case "@@trancount":
      return int(state.transaction?.depth ?? 0);
    case "@@version":
      return constant(binding, VERSION, sqlType("nvarchar", { length: 300 }));
    case "@@servername":
      return constant(binding, "EMULATOR", sqlType("nvarchar", { length: 128 }));
    case "@@dbts":
      return converted(
        binding,
        constant(binding, state.store.lastVersion, sqlType("rowversion")),
        sqlType("varbinary", { length: 8 }),
      );
    case "@@identity":
      return constant(binding, state.identity, sqlType("numeric", { precision: 38, scale: 0 }));
    case "@@max_precision":
      return constant(binding, 38, sqlType("tinyint"));
    case "@@textsize":
      return int(state.textSize);
    case "@@lock_timeout":
      return int(state.lockTimeoutMs);
    case "@@datefirst":
      return constant(binding, 7, sqlType("tinyint"));
    case "@@options":
      return int(5496);
    default:
      return null;
  }
}

function bindColumn(binding: Binding, scope: Scope | null, expression: Expression & { is: "column" }): Bound {
  const parts = expression.parts.map((part) => part.toLowerCase());
  const name = parts.at(-1) ?? "";
  const qualifier = parts.length > 1 ? parts.at(-2) : undefined;
  for (let level = scope; level !== null; level = level.parent) {
    const found = level.sources
      .filter((source) => qualifier === undefined || source.alias.toLowerCase() === qualifier)
      .flatMap((source) => source.columns.filter((column) => column.name.toLowerCase() === name));
    if (found.length > 1) throw at(expression, sqlError(209, expression.parts.at(-1) ?? ""));
    const [only] = found;
    if (only !== undefined) {
      binding.bare?.push({ sql: only.bound.sql, name: expression.parts.join(".") });
      return only.bound;
    }
  }
  const error =
    parts.length > 1 ? sqlError(4104, expression.parts.join(".")) : sqlError(207, expression.parts[0] ?? "");
  throw at(expression, error);
}

function at(expression: Expression & { is: "column" }, error: ReturnType<typeof sqlError>): Error {
  error.line = expression.token.line;
  return error;
}

function bindCase(binding: Binding, scope: Scope | null, expression: Expression & { is: "case" }): Bound {
  const value = (inner: Expression): Bound => bindValue(binding, scope, inner);
  const operand = expression.operand === null ? null : value(expression.operand);
  const whens = expression.whens.map(({ when, result }) => ({
    when: operand === null ? bindCondition(binding, scope, when) : compare(binding, "=", operand, value(when)).sql,
    result: value(result),
  }));
  const otherwise = expression.otherwise === null ? null : value(expression.otherwise);
  const results = [...whens.map(({ result }) => result), ...(otherwise === null ? [] : [otherwise])];
  const type =
    results.map((result) => result.type).reduce((a, b) => (a === null && b === null ? null : commonType(a, b)), null) ??
    INT;
  const arms = whens.map(({ when, result }) => `WHEN ${when} THEN ${converted(binding, result, type).sql}`);
  const rest = otherwise === null ? "" : ` ELSE ${converted(binding, otherwise, type).sql}`;
  const nullable = otherwise === null || results.some((result) => result.nullable);
  return computed(`CASE ${arms.join(" ")}${rest} END`, type, nullable);
}

function bindIn(binding: Binding, scope: Scope | null, expression: Expression & { is: "in" }): Bound {
  const of = bindValue(binding, scope, expression.of);
  const not = expression.not ? "NOT " : "";
  if ("first" in expression.list) {
    const query = binding.query(binding, expression.list, scope);
    const [first] = query.columns;
    if (first === undefined) throw sqlError(102, ")");
    const type = commonType(of.type, first.type);
    const inner = comparable(converted(binding, computed("c0", first.type), type));
    return condition(`(${comparable(converted(binding, of, type))} ${not}IN (SELECT ${inner} FROM (${query.sql})))`);
  }
  const terms = expression.list.map((item) => compare(binding, "=", of, bindValue(binding, scope, item)).sql);
  return condition(`${not}(${terms.join(" OR ")})`);
}
