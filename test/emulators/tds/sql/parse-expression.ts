/** Expressions and conditions, by precedence climbing [T-SQL "Operator precedence"]. */
import { packDecimal, parseDecimal } from "../values/decimal.ts";
import { type SqlType, sqlType } from "../values/type.ts";
import type { Expression, Order, Query } from "./ast.ts";
import {
  type Cursor,
  dataType,
  dottedName,
  expect,
  isNext,
  list,
  name,
  next,
  parenthesised,
  peek,
  syntaxError,
  take,
} from "./cursor.ts";
import type { Token } from "./lexer.ts";

/** A value or a condition; the binder tells them apart. */
export function parseExpression(cursor: Cursor): Expression {
  let left = parseAnd(cursor);
  while (take(cursor, "OR")) left = { is: "logic", operator: "OR", left, right: parseAnd(cursor) };
  return left;
}

function parseAnd(cursor: Cursor): Expression {
  let left = parseNot(cursor);
  while (take(cursor, "AND")) left = { is: "logic", operator: "AND", left, right: parseNot(cursor) };
  return left;
}

function parseNot(cursor: Cursor): Expression {
  return take(cursor, "NOT") ? { is: "not", of: parseNot(cursor) } : parsePredicate(cursor);
}

const COMPARISONS: Readonly<Record<string, string>> = {
  "=": "=",
  "<>": "<>",
  "!=": "<>",
  "<": "<",
  ">": ">",
  "<=": "<=",
  ">=": ">=",
  "!<": ">=",
  "!>": "<=",
};

function parsePredicate(cursor: Cursor): Expression {
  if (take(cursor, "EXISTS")) return { is: "exists", query: parenthesised(cursor, cursor.query) };
  const left = parseSum(cursor);
  const operator = peek(cursor).kind === "operator" ? COMPARISONS[peek(cursor).text] : undefined;
  if (operator !== undefined) {
    next(cursor);
    return { is: "compare", operator, left, right: parseSum(cursor) };
  }
  if (take(cursor, "IS")) {
    const not = take(cursor, "NOT");
    expect(cursor, "NULL");
    return { is: "null", of: left, not };
  }
  const not = isNext(cursor, "NOT") && take(cursor, "NOT");
  if (take(cursor, "IN")) return { is: "in", of: left, not, list: parenthesised(cursor, listOrQuery) };
  if (take(cursor, "BETWEEN")) {
    const low = parseSum(cursor);
    expect(cursor, "AND");
    return { is: "between", of: left, not, low, high: parseSum(cursor) };
  }
  if (take(cursor, "LIKE")) {
    const pattern = parseSum(cursor);
    return { is: "like", of: left, not, pattern, escape: take(cursor, "ESCAPE") ? parseSum(cursor) : null };
  }
  if (not) throw syntaxError(peek(cursor));
  return left;
}

const listOrQuery = (cursor: Cursor): Expression[] | Query =>
  isNext(cursor, "SELECT") ? cursor.query(cursor) : list(cursor, parseExpression);

const isOperator = (cursor: Cursor, operators: string): boolean =>
  peek(cursor).kind === "operator" && operators.includes(peek(cursor).text);

function parseSum(cursor: Cursor): Expression {
  let left = parseProduct(cursor);
  while (isOperator(cursor, "+-&|^")) {
    left = { is: "arithmetic", operator: next(cursor).text, left, right: parseProduct(cursor) };
  }
  return left;
}

function parseProduct(cursor: Cursor): Expression {
  let left = parseUnary(cursor);
  while (isOperator(cursor, "*/%")) {
    left = { is: "arithmetic", operator: next(cursor).text, left, right: parseUnary(cursor) };
  }
  return left;
}

function parseUnary(cursor: Cursor): Expression {
  if (isOperator(cursor, "-+~")) return { is: "negate", operator: next(cursor).text, of: parseUnary(cursor) };
  let value = parsePrimary(cursor);
  while (take(cursor, "COLLATE")) value = { is: "collate", of: value, collation: next(cursor).text };
  return value;
}

function parsePrimary(cursor: Cursor): Expression {
  const token = peek(cursor);
  switch (token.kind) {
    case "number":
    case "string":
    case "nstring":
    case "binary":
      next(cursor);
      return literal(token);
    case "variable":
      next(cursor);
      return { is: "variable", name: token.text, token };
    case "quoted":
      return nameOrCall(cursor);
    case "word":
      return parseWord(cursor, token);
    default:
      if (!take(cursor, "(")) throw syntaxError(token);
      return closeParenthesis(cursor);
  }
}

function closeParenthesis(cursor: Cursor): Expression {
  const inner: Expression =
    isNext(cursor, "SELECT") || isNext(cursor, "WITH")
      ? { is: "subquery", query: cursor.query(cursor) }
      : parseExpression(cursor);
  expect(cursor, ")");
  return inner;
}

function literal(token: Token): Expression {
  switch (token.kind) {
    case "string":
      return { is: "literal", value: token.text, type: sqlType("varchar", { length: Math.max(1, token.text.length) }) };
    case "nstring":
      return {
        is: "literal",
        value: token.text,
        type: sqlType("nvarchar", { length: Math.max(1, token.text.length) }),
      };
    case "binary": {
      const digits = token.text.slice(2);
      const value = Buffer.from(digits.length % 2 === 1 ? `0${digits}` : digits, "hex");
      return { is: "literal", value, type: sqlType("varbinary", { length: Math.max(1, value.length) }) };
    }
    default:
      return numberLiteral(token.text);
  }
}

function numberLiteral(text: string): Expression {
  if (/e/i.test(text)) return { is: "literal", value: Number(text), type: sqlType("float") };
  const parsed = parseDecimal(text) ?? { unscaled: 0n, scale: 0 };
  if (!text.includes(".") && parsed.unscaled <= 2_147_483_647n) {
    return { is: "literal", value: Number(parsed.unscaled), type: sqlType("int") };
  }
  const digits = parsed.unscaled.toString().length;
  const type: SqlType = sqlType("numeric", { precision: Math.max(digits, parsed.scale, 1), scale: parsed.scale });
  return { is: "literal", value: packDecimal(parsed.unscaled), type };
}

function parseWord(cursor: Cursor, token: Token): Expression {
  switch (token.text.toUpperCase()) {
    case "NULL":
      next(cursor);
      return { is: "literal", value: null, type: null };
    case "CASE":
      next(cursor);
      return parseCase(cursor);
    case "CAST":
    case "TRY_CAST":
      next(cursor);
      return parenthesised(cursor, (inner) => {
        const of = parseExpression(inner);
        expect(inner, "AS");
        return { is: "cast", of, to: dataType(inner, 30), style: null, safe: token.text.length > 4 };
      });
    case "CONVERT":
    case "TRY_CONVERT":
      next(cursor);
      return parenthesised(cursor, (inner) => {
        const to = dataType(inner, 30);
        expect(inner, ",");
        const of = parseExpression(inner);
        const style = take(inner, ",") ? parseExpression(inner) : null;
        return { is: "cast", of, to, style, safe: token.text.length > 7 };
      });
    case "LEFT":
    case "RIGHT":
      next(cursor);
      return parseCall(cursor, token.text, token);
    case "CURRENT_TIMESTAMP":
      next(cursor);
      return { is: "call", name: "getdate", args: [], star: false, distinct: false, over: null, token };
    default:
      return nameOrCall(cursor);
  }
}

function nameOrCall(cursor: Cursor): Expression {
  const token = peek(cursor);
  const parts = dottedName(cursor);
  if (!isNext(cursor, "(")) return { is: "column", parts, token };
  return parseCall(cursor, parts.join("."), token);
}

// These take a bare word first: DATEADD(day, …).
const DATE_FUNCTIONS = /^(dateadd|datediff|datediff_big|datepart|datename)$/i;

function parseCall(cursor: Cursor, called: string, token: Token): Expression {
  expect(cursor, "(");
  const star = isNext(cursor, "*") && take(cursor, "*");
  const distinct = take(cursor, "DISTINCT");
  const args: Expression[] = [];
  if (!star && !isNext(cursor, ")")) {
    if (DATE_FUNCTIONS.test(called)) {
      args.push({ is: "literal", value: name(cursor).toLowerCase(), type: sqlType("varchar", { length: 20 }) });
      expect(cursor, ",");
    }
    args.push(...list(cursor, parseExpression));
  }
  expect(cursor, ")");
  const over = take(cursor, "OVER") ? parenthesised(cursor, parseWindow) : null;
  return { is: "call", name: called.toLowerCase(), args, star, distinct, over, token };
}

function parseWindow(cursor: Cursor): { partition: Expression[]; order: Order[] } {
  const partition = take(cursor, "PARTITION", "BY") ? list(cursor, parseExpression) : [];
  const order = take(cursor, "ORDER", "BY") ? list(cursor, parseOrder) : [];
  return { partition, order };
}

export function parseOrder(cursor: Cursor): Order {
  const by = parseExpression(cursor);
  const descending = take(cursor, "DESC");
  if (!descending) take(cursor, "ASC");
  return { by, descending };
}

function parseCase(cursor: Cursor): Expression {
  const operand = isNext(cursor, "WHEN") ? null : parseExpression(cursor);
  const whens: { when: Expression; result: Expression }[] = [];
  while (take(cursor, "WHEN")) {
    const when = parseExpression(cursor);
    expect(cursor, "THEN");
    whens.push({ when, result: parseExpression(cursor) });
  }
  const otherwise = take(cursor, "ELSE") ? parseExpression(cursor) : null;
  expect(cursor, "END");
  return { is: "case", operand, whens, otherwise };
}
