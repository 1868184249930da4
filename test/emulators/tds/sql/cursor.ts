/** The parser's place in the tokens, and the small things that every rule needs. */
import { type SqlError, sqlError } from "../values/errors.ts";
import { COLLATIONS, MAX, type SqlType, sqlType, type TypeName } from "../values/type.ts";
import type { Query } from "./ast.ts";
import type { Token } from "./lexer.ts";

// Words that end an expression or a name: they cannot be a column or an alias without brackets.
const RESERVED = new Set(
  `ADD ALL ALTER AND AS ASC BEGIN BETWEEN BY CASE CHECK COLLATE COMMIT CONSTRAINT CONVERT CREATE CROSS DECLARE DEFAULT
   DELETE DESC DISTINCT DROP ELSE END ESCAPE EXCEPT EXEC EXECUTE EXISTS FETCH FOR FOREIGN FROM FULL FUNCTION GO GRANT
   GROUP HAVING IDENTITY IF IN INNER INSERT INTERSECT INTO IS JOIN KEY LEFT LIKE MERGE NOT NULL ON OPTION OR ORDER OUTER
   OVER PRIMARY PRINT PROCEDURE RAISERROR REFERENCES RETURN REVOKE RIGHT ROLLBACK SAVE SELECT SET TABLE THEN TO TOP TRAN
   TRANSACTION TRIGGER TRUNCATE UNION UNIQUE UPDATE USE VALUES VIEW WAITFOR WHEN WHERE WHILE WITH THROW`.split(/\s+/),
);

export interface Cursor {
  readonly text: string;
  readonly tokens: readonly Token[];
  at: number;
  /** Reads a query; handed in, because expressions and queries hold each other. */
  readonly query: (cursor: Cursor) => Query;
}

export function peek(cursor: Cursor, ahead = 0): Token {
  return cursor.tokens[Math.min(cursor.at + ahead, cursor.tokens.length - 1)] as Token;
}

export function next(cursor: Cursor): Token {
  const token = peek(cursor);
  if (token.kind !== "end") cursor.at++;
  return token;
}

/** Error 156 at a keyword, 102 at anything else. */
export function syntaxError(token: Token): SqlError {
  const reserved = token.kind === "word" && RESERVED.has(token.text.toUpperCase());
  const error = sqlError(reserved ? 156 : 102, token.kind === "end" ? "" : token.text);
  error.line = token.line;
  return error;
}

const same = (token: Token, text: string): boolean =>
  token.kind === "operator" ? token.text === text : token.kind === "word" && token.text.toUpperCase() === text;

/** Whether the next tokens are these keywords or operators (upper case). */
export function isNext(cursor: Cursor, ...texts: string[]): boolean {
  return texts.every((text, ahead) => same(peek(cursor, ahead), text));
}

/** Steps over these keywords or operators if they are next. */
export function take(cursor: Cursor, ...texts: string[]): boolean {
  if (!isNext(cursor, ...texts)) return false;
  cursor.at += texts.length;
  return true;
}

export function expect(cursor: Cursor, ...texts: string[]): void {
  for (const text of texts) if (!take(cursor, text)) throw syntaxError(peek(cursor));
}

/** An identifier, bracketed or bare. */
export function name(cursor: Cursor): string {
  const token = peek(cursor);
  if (token.kind === "quoted" || (token.kind === "word" && !RESERVED.has(token.text.toUpperCase()))) {
    return next(cursor).text;
  }
  throw syntaxError(token);
}

/** An alias if one is next, with or without AS. */
export function optionalAlias(cursor: Cursor): string | null {
  if (take(cursor, "AS")) return peek(cursor).kind.endsWith("string") ? next(cursor).text : name(cursor);
  const token = peek(cursor);
  const free = token.kind === "quoted" || (token.kind === "word" && !RESERVED.has(token.text.toUpperCase()));
  return free ? next(cursor).text : null;
}

/** `a`, `a.b`, `a.b.c`, also with an empty schema (`db..t`). */
export function dottedName(cursor: Cursor): string[] {
  const parts = [name(cursor)];
  while (take(cursor, ".")) parts.push(isNext(cursor, ".") ? "" : name(cursor));
  return parts;
}

/** Items parted by commas. */
export function list<T>(cursor: Cursor, item: (cursor: Cursor) => T): T[] {
  const items = [item(cursor)];
  while (take(cursor, ",")) items.push(item(cursor));
  return items;
}

export function parenthesised<T>(cursor: Cursor, inner: (cursor: Cursor) => T): T {
  expect(cursor, "(");
  const result = inner(cursor);
  expect(cursor, ")");
  return result;
}

const SYNONYMS: Readonly<Record<string, TypeName>> = {
  integer: "int",
  dec: "decimal",
  timestamp: "rowversion",
  sysname: "nvarchar",
  character: "char",
  sql_variant: "nvarchar",
};

const NAMES = new Set<string>(
  `bit tinyint smallint int bigint decimal numeric money smallmoney real float date time datetime2 datetimeoffset datetime
   smalldatetime char varchar text nchar nvarchar ntext xml binary varbinary image uniqueidentifier rowversion`.split(
    /\s+/,
  ),
);

/** A data type with its length, precision and scale. `bare` is the length where none is given (30 in a CAST). */
export function dataType(cursor: Cursor, bare: number): SqlType {
  const token = peek(cursor);
  if (token.kind !== "word" && token.kind !== "quoted") throw syntaxError(token);
  const word = next(cursor).text.toLowerCase();
  const found = SYNONYMS[word] ?? word;
  if (!NAMES.has(found)) {
    const error = sqlError(2715, word);
    error.line = token.line;
    throw error;
  }
  const numbers = isNext(cursor, "(") ? parenthesised(cursor, (inner) => list(inner, size)) : [];
  return typeOf(found as TypeName, numbers, word, bare);
}

function size(cursor: Cursor): number {
  if (take(cursor, "MAX")) return MAX;
  const token = next(cursor);
  if (token.kind !== "number" || !/^\d+$/.test(token.text)) throw syntaxError(token);
  return Number(token.text);
}

function typeOf(found: TypeName, numbers: number[], word: string, bare: number): SqlType {
  const [first, second] = numbers;
  if (word === "sysname") return sqlType("nvarchar", { length: 128 });
  if (word === "sql_variant") return sqlType("nvarchar", { length: 4000 });
  if (found === "decimal" || found === "numeric") {
    return sqlType(found, { precision: first ?? 18, scale: second ?? 0 });
  }
  if (found === "time" || found === "datetime2" || found === "datetimeoffset")
    return sqlType(found, { scale: first ?? 7 });
  if (found === "float") return sqlType(first !== undefined && first <= 24 ? "real" : "float");
  if (/char$|binary$/.test(found)) return sqlType(found, { length: first ?? bare });
  return sqlType(found);
}

/** `COLLATE name` if it is next. */
export function withCollation(cursor: Cursor, type: SqlType): SqlType {
  if (!take(cursor, "COLLATE")) return type;
  const token = next(cursor);
  if (token.text.toLowerCase() === "database_default") return type;
  const collation = COLLATIONS.find((c) => c.name.toLowerCase() === token.text.toLowerCase());
  if (collation === undefined) throw syntaxError(token);
  return { ...type, collation };
}
