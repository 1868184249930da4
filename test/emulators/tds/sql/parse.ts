/** A batch as statements. The whole batch is read before any of it runs, so a syntax error changes nothing. */
import { sqlType } from "../values/type.ts";
import type { Call, Expression, SelectItem, Source, Statement, StatementBody } from "./ast.ts";
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
import { tokenize } from "./lexer.ts";
import { parseAlter } from "./parse-alter.ts";
import { parseCreate, parseDrop, parseInsertBulk } from "./parse-ddl.ts";
import { parseExpression } from "./parse-expression.ts";
import { parseGrant } from "./parse-principal.ts";
import { parseFrom, parseQuery, parseTop, selectItem, tableHints } from "./parse-query.ts";
import { parseSet } from "./parse-set.ts";

/** Throws error 102 or 156 with the token at which the batch stops being T-SQL that the emulator speaks. */
export function parseBatch(text: string): Statement[] {
  const cursor: Cursor = { text, tokens: tokenize(text), at: 0, query: parseQuery };
  const statements: Statement[] = [];
  for (;;) {
    while (take(cursor, ";"));
    if (peek(cursor).kind === "end") return statements;
    statements.push(parseStatement(cursor));
  }
}

function parseStatement(cursor: Cursor): Statement {
  const first = peek(cursor);
  const body = parseBody(cursor);
  const last = cursor.tokens[cursor.at - 1] ?? first;
  take(cursor, ";");
  return { ...body, line: first.line, text: cursor.text.slice(first.from, last.to) };
}

function parseBody(cursor: Cursor): StatementBody {
  if (isNext(cursor, "SELECT") || isNext(cursor, "WITH")) return { is: "query", query: parseQuery(cursor) };
  const token = next(cursor);
  const parse = token.kind === "word" ? STATEMENTS[token.text.toUpperCase()] : undefined;
  if (parse !== undefined) return parse(cursor);
  // A procedure may be called without EXEC as the first statement of a batch.
  if ((token.kind === "word" || token.kind === "quoted") && cursor.at === 1) {
    cursor.at--;
    return parseCall(cursor);
  }
  throw syntaxError(token);
}

const STATEMENTS: Readonly<Record<string, (cursor: Cursor) => StatementBody>> = {
  INSERT: (cursor) => (take(cursor, "BULK") ? parseInsertBulk(cursor) : parseInsert(cursor)),
  UPDATE: parseUpdate,
  DELETE: parseDelete,
  TRUNCATE: (cursor) => {
    expect(cursor, "TABLE");
    return { is: "truncate", table: dottedName(cursor) };
  },
  CREATE: parseCreate,
  ALTER: parseAlter,
  DROP: parseDrop,
  GRANT: (cursor) => parseGrant(cursor, true),
  REVOKE: (cursor) => parseGrant(cursor, false),
  BEGIN: parseBegin,
  COMMIT: (cursor) => ({ is: "transaction", act: "COMMIT", name: transactionName(cursor, true) }),
  ROLLBACK: (cursor) => ({ is: "transaction", act: "ROLLBACK", name: transactionName(cursor, true) }),
  SAVE: (cursor) => ({ is: "transaction", act: "SAVE", name: transactionName(cursor, false) }),
  DECLARE: parseDeclare,
  SET: parseSet,
  USE: (cursor) => ({ is: "use", database: name(cursor) }),
  IF: (cursor) => {
    const condition = parseExpression(cursor);
    const body = parseStatement(cursor);
    return { is: "if", condition, body, otherwise: take(cursor, "ELSE") ? parseStatement(cursor) : null };
  },
  WHILE: (cursor) => ({ is: "while", condition: parseExpression(cursor), body: parseStatement(cursor) }),
  WAITFOR: (cursor) => {
    expect(cursor, "DELAY");
    return { is: "waitfor", delay: parseExpression(cursor) };
  },
  PRINT: (cursor) => ({ is: "print", value: parseExpression(cursor) }),
  THROW: (cursor) => {
    const number = parseExpression(cursor);
    expect(cursor, ",");
    const message = parseExpression(cursor);
    expect(cursor, ",");
    return { is: "throw", number, message, state: parseExpression(cursor), severity: null };
  },
  RAISERROR: (cursor) =>
    parenthesised(cursor, (inner) => {
      const message = parseExpression(inner);
      expect(inner, ",");
      const severity = parseExpression(inner);
      expect(inner, ",");
      return { is: "throw", number: null, message, state: parseExpression(inner), severity };
    }),
  EXEC: parseCall,
  EXECUTE: parseCall,
};

function parseBegin(cursor: Cursor): StatementBody {
  if (isNext(cursor, "TRAN") || isNext(cursor, "TRANSACTION")) {
    return { is: "transaction", act: "BEGIN", name: transactionName(cursor, false) };
  }
  const body: Statement[] = [];
  while (!take(cursor, "END")) {
    if (take(cursor, ";")) continue;
    body.push(parseStatement(cursor));
  }
  return { is: "block", body };
}

function transactionName(cursor: Cursor, optional: boolean): string | null {
  const worded = take(cursor, "TRAN") || take(cursor, "TRANSACTION") || (optional && take(cursor, "WORK"));
  if (!worded) {
    if (optional) return null;
    throw syntaxError(peek(cursor));
  }
  const token = peek(cursor);
  if (token.kind === "variable") return next(cursor).text;
  const statement = token.kind === "word" && STATEMENTS[token.text.toUpperCase()] !== undefined;
  const other = statement || /^(SELECT|WITH|END|ELSE)$/i.test(token.text);
  return (token.kind === "word" && !other) || token.kind === "quoted" ? name(cursor) : null;
}

function parseInsert(cursor: Cursor): StatementBody {
  take(cursor, "INTO");
  const table = dottedName(cursor);
  tableHints(cursor);
  const columns = isNext(cursor, "(") ? parenthesised(cursor, (inner) => list(inner, name)) : null;
  const output = parseOutput(cursor);
  if (take(cursor, "DEFAULT", "VALUES")) return { is: "insert", table, columns, rows: null, output };
  if (take(cursor, "VALUES")) {
    const rows = list(cursor, (row) => parenthesised(row, (inner) => list(inner, valueOrDefault)));
    return { is: "insert", table, columns, rows, output };
  }
  if (take(cursor, "EXEC") || take(cursor, "EXECUTE")) {
    return { is: "insert", table, columns, rows: parseCall(cursor), output };
  }
  return { is: "insert", table, columns, rows: parseQuery(cursor), output };
}

const valueOrDefault = (cursor: Cursor): Expression | "default" =>
  take(cursor, "DEFAULT") ? "default" : parseExpression(cursor);

const parseOutput = (cursor: Cursor): SelectItem[] => (take(cursor, "OUTPUT") ? list(cursor, selectItem) : []);

function parseUpdate(cursor: Cursor): StatementBody {
  const top = parseTop(cursor);
  const target = dottedName(cursor);
  tableHints(cursor);
  expect(cursor, "SET");
  const set = list(cursor, (inner) => {
    const column = dottedName(inner);
    const operator = next(inner);
    if (operator.text === "=") return { column, value: parseExpression(inner) };
    if (operator.text !== "+=" && operator.text !== "-=") throw syntaxError(operator);
    const left: Expression = { is: "column", parts: column, token: operator };
    const right = parseExpression(inner);
    return { column, value: { is: "arithmetic", operator: operator.text.slice(0, 1), left, right } as Expression };
  });
  const output = parseOutput(cursor);
  const from: Source | null = take(cursor, "FROM") ? parseFrom(cursor) : null;
  const where = take(cursor, "WHERE") ? parseExpression(cursor) : null;
  return { is: "update", target, top, set, from, where, output };
}

function parseDelete(cursor: Cursor): StatementBody {
  const top = parseTop(cursor);
  take(cursor, "FROM");
  const target = dottedName(cursor);
  tableHints(cursor);
  const output = parseOutput(cursor);
  const from: Source | null = take(cursor, "FROM") ? parseFrom(cursor) : null;
  const where = take(cursor, "WHERE") ? parseExpression(cursor) : null;
  return { is: "delete", target, top, from, where, output };
}

function parseDeclare(cursor: Cursor): StatementBody {
  const variables = list(cursor, (inner) => {
    const token = next(inner);
    if (token.kind !== "variable") throw syntaxError(token);
    take(inner, "AS");
    const type = dataType(inner, 1);
    return { name: token.text, type, value: take(inner, "=") ? parseExpression(inner) : null };
  });
  return { is: "declare", variables };
}

function parseCall(cursor: Cursor): Call {
  const into = peek(cursor).kind === "variable" && peek(cursor, 1).text === "=" ? next(cursor).text : undefined;
  if (into !== undefined) next(cursor);
  const procedure = dottedName(cursor);
  const token = peek(cursor);
  const none = token.kind === "end" || token.text === ";" || (token.kind === "word" && !/^(N|NULL)$/i.test(token.text));
  const args = none ? [] : list(cursor, parseArgument);
  return { is: "execute", procedure, args, ...(into === undefined ? {} : { into }) };
}

function parseArgument(cursor: Cursor): Call["args"][number] {
  const token = peek(cursor);
  const named = token.kind === "variable" && peek(cursor, 1).text === "=";
  if (named) cursor.at += 2;
  const word = peek(cursor);
  // A bare word is a string here: EXEC sp_who active.
  const value: Expression =
    word.kind === "word" && !/^null$/i.test(word.text)
      ? { is: "literal", value: next(cursor).text, type: sqlType("nvarchar", { length: 4000 }) }
      : parseExpression(cursor);
  const output = take(cursor, "OUTPUT") || take(cursor, "OUT");
  return { name: named ? token.text : null, value, output };
}
