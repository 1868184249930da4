/** ALTER: keys of tables, members of roles, Change Tracking, snapshot isolation. */
import type { StatementBody } from "./ast.ts";
import {
  type Cursor,
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
import { tableKey } from "./parse-ddl.ts";
import { parseMember } from "./parse-principal.ts";

/** What is not here (columns, checks, other options of a database) is refused. */
export function parseAlter(cursor: Cursor): StatementBody {
  if (take(cursor, "ROLE") || take(cursor, "SERVER", "ROLE")) return parseMember(cursor);
  if (take(cursor, "DATABASE")) return alterDatabase(cursor);
  expect(cursor, "TABLE");
  const table = dottedName(cursor);
  if (take(cursor, "ENABLE", "CHANGE_TRACKING")) {
    if (take(cursor, "WITH")) parenthesised(cursor, trackColumns);
    return { is: "trackTable", table, on: true };
  }
  if (take(cursor, "DISABLE", "CHANGE_TRACKING")) return { is: "trackTable", table, on: false };
  expect(cursor, "ADD");
  const key = tableKey(cursor);
  if (key === null) throw syntaxError(peek(cursor));
  return { is: "addKey", table, key };
}

// TRACK_COLUMNS_UPDATED: which columns changed is not kept here.
function trackColumns(cursor: Cursor): void {
  expect(cursor, "TRACK_COLUMNS_UPDATED", "=");
  expect(cursor, "OFF");
}

const UNITS = { MINUTES: 1, HOURS: 2, DAYS: 3 } as const;

function alterDatabase(cursor: Cursor): StatementBody {
  const database = take(cursor, "CURRENT") ? null : name(cursor);
  expect(cursor, "SET");
  if (take(cursor, "ALLOW_SNAPSHOT_ISOLATION")) {
    const on = take(cursor, "ON");
    if (!on) expect(cursor, "OFF");
    return { is: "allowSnapshot", database, on };
  }
  expect(cursor, "CHANGE_TRACKING", "=");
  if (take(cursor, "OFF")) return { is: "trackDatabase", database, on: false, retention: 0, units: UNITS.DAYS };
  expect(cursor, "ON");
  let retention = 2;
  let units: number = UNITS.DAYS;
  const option = (inner: Cursor): void => {
    if (take(inner, "AUTO_CLEANUP", "=")) {
      next(inner);
      return;
    }
    expect(inner, "CHANGE_RETENTION", "=");
    retention = Number(next(inner).text);
    const unit = (Object.keys(UNITS) as (keyof typeof UNITS)[]).find((word) => take(inner, word));
    if (unit === undefined || !Number.isInteger(retention)) throw syntaxError(peek(inner));
    units = UNITS[unit];
  };
  if (isNext(cursor, "(")) parenthesised(cursor, (inner) => list(inner, option));
  return { is: "trackDatabase", database, on: true, retention, units };
}
