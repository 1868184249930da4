/** SELECT with everything that belongs to it. */
import type { Expression, Query, Select, SelectItem, Source } from "./ast.ts";
import {
  type Cursor,
  dottedName,
  expect,
  isNext,
  list,
  name,
  next,
  optionalAlias,
  parenthesised,
  peek,
  syntaxError,
  take,
} from "./cursor.ts";
import { parseExpression, parseOrder } from "./parse-expression.ts";

export function parseQuery(cursor: Cursor): Query {
  const common = take(cursor, "WITH") ? list(cursor, commonTable) : [];
  const first = parseSelect(cursor);
  const rest: { operator: "UNION" | "UNION ALL" | "EXCEPT" | "INTERSECT"; select: Select }[] = [];
  for (;;) {
    if (take(cursor, "UNION", "ALL")) rest.push({ operator: "UNION ALL", select: parseSelect(cursor) });
    else if (take(cursor, "UNION")) rest.push({ operator: "UNION", select: parseSelect(cursor) });
    else if (take(cursor, "EXCEPT")) rest.push({ operator: "EXCEPT", select: parseSelect(cursor) });
    else if (take(cursor, "INTERSECT")) rest.push({ operator: "INTERSECT", select: parseSelect(cursor) });
    else break;
  }
  const order = take(cursor, "ORDER", "BY") ? list(cursor, parseOrder) : [];
  let offset: Expression | null = null;
  let fetch: Expression | null = null;
  if (order.length > 0 && take(cursor, "OFFSET")) {
    offset = parseExpression(cursor);
    rowsWord(cursor);
    if (take(cursor, "FETCH")) {
      if (!take(cursor, "NEXT")) expect(cursor, "FIRST");
      fetch = parseExpression(cursor);
      rowsWord(cursor);
      expect(cursor, "ONLY");
    }
  }
  if (take(cursor, "OPTION")) parenthesised(cursor, (inner) => list(inner, queryHint));
  return { with: common, first, rest, order, offset, fetch };
}

function rowsWord(cursor: Cursor): void {
  if (!take(cursor, "ROWS")) expect(cursor, "ROW");
}

// RECOMPILE, MAXDOP 1: of no consequence here.
function queryHint(cursor: Cursor): void {
  while (!isNext(cursor, ",") && !isNext(cursor, ")")) {
    if (next(cursor).kind === "end") throw syntaxError(peek(cursor));
  }
}

function commonTable(cursor: Cursor): { name: string; columns: string[] | null; query: Query } {
  const called = name(cursor);
  const columns = isNext(cursor, "(") ? parenthesised(cursor, (inner) => list(inner, name)) : null;
  expect(cursor, "AS");
  return { name: called, columns, query: parenthesised(cursor, parseQuery) };
}

function parseSelect(cursor: Cursor): Select {
  if (take(cursor, "(")) {
    const inner = parseSelect(cursor);
    expect(cursor, ")");
    return inner;
  }
  expect(cursor, "SELECT");
  const distinct = take(cursor, "DISTINCT");
  if (!distinct) take(cursor, "ALL");
  const top = parseTop(cursor);
  const items = list(cursor, selectItem);
  const into = take(cursor, "INTO") ? dottedName(cursor) : null;
  const from = take(cursor, "FROM") ? parseFrom(cursor) : null;
  const where = take(cursor, "WHERE") ? parseExpression(cursor) : null;
  const group = take(cursor, "GROUP", "BY") ? list(cursor, parseExpression) : [];
  const having = take(cursor, "HAVING") ? parseExpression(cursor) : null;
  return { is: "select", distinct, top, items, into, from, where, group, having };
}

/** `TOP 5` or `TOP (@n)`; PERCENT and WITH TIES are refused by what follows. */
export function parseTop(cursor: Cursor): Expression | null {
  if (!take(cursor, "TOP")) return null;
  if (isNext(cursor, "(")) return parenthesised(cursor, parseExpression);
  const token = next(cursor);
  if (token.kind !== "number") throw syntaxError(token);
  cursor.at--;
  return parseExpression(cursor);
}

export function selectItem(cursor: Cursor): SelectItem {
  if (take(cursor, "*")) return { is: "star", of: null };
  const [first, second, third] = [peek(cursor), peek(cursor, 1), peek(cursor, 2)];
  if ((first.kind === "word" || first.kind === "quoted") && second.text === "." && third.text === "*") {
    cursor.at += 3;
    return { is: "star", of: first.text };
  }
  const equals = second.kind === "operator" && second.text === "=";
  if (first.kind === "variable" && equals) {
    cursor.at += 2;
    return { is: "assign", variable: first.text, value: parseExpression(cursor) };
  }
  if ((first.kind === "word" || first.kind === "quoted") && equals) {
    cursor.at += 2;
    return { is: "value", value: parseExpression(cursor), alias: first.text };
  }
  const value = parseExpression(cursor);
  return { is: "value", value, alias: optionalAlias(cursor) };
}

/** The sources after FROM; a comma is a cross join. */
export function parseFrom(cursor: Cursor): Source {
  let left = parseJoined(cursor);
  while (take(cursor, ",")) left = { is: "join", kind: "CROSS", left, right: parseJoined(cursor), on: null };
  return left;
}

function parseJoined(cursor: Cursor): Source {
  let left = parseSource(cursor);
  for (;;) {
    const kind = joinKind(cursor);
    if (kind === null) return left;
    const right = parseSource(cursor);
    if (kind === "CROSS") left = { is: "join", kind, left, right, on: null };
    else {
      expect(cursor, "ON");
      left = { is: "join", kind, left, right, on: parseExpression(cursor) };
    }
  }
}

function joinKind(cursor: Cursor): "INNER" | "LEFT" | "RIGHT" | "FULL" | "CROSS" | null {
  if (take(cursor, "CROSS", "JOIN")) return "CROSS";
  if (take(cursor, "JOIN") || take(cursor, "INNER", "JOIN")) return "INNER";
  for (const kind of ["LEFT", "RIGHT", "FULL"] as const) {
    if (take(cursor, kind, "JOIN") || take(cursor, kind, "OUTER", "JOIN")) return kind;
  }
  return null;
}

function parseSource(cursor: Cursor): Source {
  const token = peek(cursor);
  if (take(cursor, "(")) return parenthesisedSource(cursor);
  if (take(cursor, "CHANGETABLE", "(", "CHANGES")) return changesOf(cursor);
  const table = dottedName(cursor);
  const alias = optionalAlias(cursor);
  tableHints(cursor);
  return { is: "table", name: table, alias, token };
}

function changesOf(cursor: Cursor): Source {
  const table = dottedName(cursor);
  expect(cursor, ",");
  const since = parseExpression(cursor);
  expect(cursor, ")");
  return { is: "changes", name: table, since, alias: requiredAlias(cursor) };
}

function parenthesisedSource(cursor: Cursor): Source {
  if (take(cursor, "VALUES")) {
    const rows = list(cursor, (row) => parenthesised(row, (inner) => list(inner, parseExpression)));
    expect(cursor, ")");
    const alias = requiredAlias(cursor);
    return { is: "values", rows, alias, columns: parenthesised(cursor, (inner) => list(inner, name)) };
  }
  if (!isNext(cursor, "SELECT") && !isNext(cursor, "WITH") && !isNext(cursor, "(")) {
    const joined = parseFrom(cursor);
    expect(cursor, ")");
    return joined;
  }
  const query = parseQuery(cursor);
  expect(cursor, ")");
  const alias = requiredAlias(cursor);
  const columns = isNext(cursor, "(") ? parenthesised(cursor, (inner) => list(inner, name)) : null;
  return { is: "derived", query, alias, columns };
}

function requiredAlias(cursor: Cursor): string {
  const alias = optionalAlias(cursor);
  if (alias === null) throw syntaxError(peek(cursor));
  return alias;
}

// WITH (HOLDLOCK, UPDLOCK): locking is the store's business, so hints are read and have no effect.
export function tableHints(cursor: Cursor): void {
  if (!isNext(cursor, "WITH", "(")) return;
  expect(cursor, "WITH");
  parenthesised(cursor, (inner) =>
    list(inner, (hint) => {
      const token = next(hint);
      if (token.kind !== "word") throw syntaxError(token);
      if (take(hint, "(")) {
        list(hint, name);
        expect(hint, ")");
      }
    }),
  );
}
