/** CREATE and DROP LOGIN and USER, and GRANT SELECT ON SCHEMA. */
import type { StatementBody } from "./ast.ts";
import { type Cursor, expect, name, next, syntaxError, take } from "./cursor.ts";

const NOTHING = { is: "principal", password: "", login: "", schema: "" } as const;

/** After CREATE; null where something else is made. */
export function parseCreatePrincipal(cursor: Cursor): StatementBody | null {
  if (take(cursor, "LOGIN")) {
    const login = name(cursor);
    expect(cursor, "WITH", "PASSWORD", "=");
    const password = next(cursor);
    if (!password.kind.endsWith("string")) throw syntaxError(password);
    return { ...NOTHING, change: "createLogin", name: login, password: password.text };
  }
  if (!take(cursor, "USER")) return null;
  const user = name(cursor);
  const login = take(cursor, "FOR", "LOGIN") ? name(cursor) : user;
  return { ...NOTHING, change: "createUser", name: user, login };
}

/** After DROP; null where something else goes. */
export function parseDropPrincipal(cursor: Cursor): StatementBody | null {
  if (take(cursor, "LOGIN")) return { ...NOTHING, change: "dropLogin", name: name(cursor) };
  return take(cursor, "USER") ? { ...NOTHING, change: "dropUser", name: name(cursor) } : null;
}

/** `GRANT SELECT ON SCHEMA::s TO u`; other grants are refused. */
export function parseGrant(cursor: Cursor): StatementBody {
  expect(cursor, "SELECT", "ON", "SCHEMA", "::");
  const schema = name(cursor);
  expect(cursor, "TO");
  return { ...NOTHING, change: "grantSelect", name: name(cursor), schema };
}
