/** SET: variables, session options and the isolation level. Options that are not known are refused. */
import type { StatementBody } from "./ast.ts";
import { type Cursor, dottedName, isNext, list, name, next, peek, syntaxError, take } from "./cursor.ts";
import { parseExpression } from "./parse-expression.ts";

const SWITCHES = new Set(
  `ANSI_NULLS ANSI_NULL_DFLT_ON ANSI_NULL_DFLT_OFF ANSI_PADDING ANSI_WARNINGS ANSI_DEFAULTS ARITHABORT ARITHIGNORE
   CONCAT_NULL_YIELDS_NULL CURSOR_CLOSE_ON_COMMIT IMPLICIT_TRANSACTIONS NOCOUNT NUMERIC_ROUNDABORT QUOTED_IDENTIFIER
   XACT_ABORT NOEXEC FMTONLY FORCEPLAN PARSEONLY`.split(/\s+/),
);
const VALUES = new Set(
  "DATEFIRST DATEFORMAT LANGUAGE TEXTSIZE ROWCOUNT LOCK_TIMEOUT DEADLOCK_PRIORITY CONTEXT_INFO".split(" "),
);

export function parseSet(cursor: Cursor): StatementBody {
  const token = next(cursor);
  if (token.kind === "variable") return setVariable(cursor, token.text);
  if (token.kind !== "word") throw syntaxError(token);
  const option = token.text.toUpperCase();
  if (option === "TRANSACTION") return isolationLevel(cursor);
  if (option === "IDENTITY_INSERT") {
    const table = dottedName(cursor).join(".");
    return { is: "setOption", option: `${option} ${table}`, value: onOff(cursor) };
  }
  if (SWITCHES.has(option)) {
    // `SET ANSI_NULLS, ANSI_PADDING ON` sets each of them; none of those lists has a switch that matters here.
    if (take(cursor, ",")) list(cursor, name);
    return { is: "setOption", option, value: onOff(cursor) };
  }
  if (VALUES.has(option)) {
    const word = peek(cursor).kind === "word";
    return { is: "setOption", option, value: word ? next(cursor).text : parseExpression(cursor) };
  }
  throw syntaxError(token);
}

function setVariable(cursor: Cursor, variable: string): StatementBody {
  const operator = next(cursor);
  if (operator.text === "=") return { is: "setVariable", name: variable, value: parseExpression(cursor) };
  if (operator.text !== "+=" && operator.text !== "-=") throw syntaxError(operator);
  const left = { is: "variable", name: variable, token: operator } as const;
  const value = {
    is: "arithmetic",
    operator: operator.text.slice(0, 1),
    left,
    right: parseExpression(cursor),
  } as const;
  return { is: "setVariable", name: variable, value };
}

function onOff(cursor: Cursor): string {
  if (take(cursor, "ON")) return "ON";
  const token = next(cursor);
  if (token.text.toUpperCase() !== "OFF") throw syntaxError(token);
  return "OFF";
}

const LEVELS = [["READ", "UNCOMMITTED"], ["READ", "COMMITTED"], ["REPEATABLE", "READ"], ["SERIALIZABLE"], ["SNAPSHOT"]];

function isolationLevel(cursor: Cursor): StatementBody {
  if (!take(cursor, "ISOLATION", "LEVEL")) throw syntaxError(peek(cursor));
  const level = LEVELS.find((words) => isNext(cursor, ...words));
  if (level === undefined) throw syntaxError(peek(cursor));
  cursor.at += level.length;
  return { is: "setOption", option: "ISOLATION", value: level.join(" ") };
}
