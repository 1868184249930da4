/** CREATE and DROP LOGIN and USER, GRANT and REVOKE, members of roles. */
import type { StatementBody } from "./ast.ts";
import { type Cursor, dottedName, expect, list, name, next, peek, syntaxError, take } from "./cursor.ts";
import { PERMISSIONS, type Permission } from "./rights.ts";

const NOTHING = { is: "principal", password: "", login: "" } as const;

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

/**
 * After GRANT or REVOKE: `SELECT, INSERT ON OBJECT::dbo.T TO u`, `SELECT ON SCHEMA::s TO u`, `EXECUTE TO u`. Columns, other
 * permissions and GRANT OPTION are refused.
 */
export function parseGrant(cursor: Cursor, granted: boolean): StatementBody {
  const permissions = list(cursor, permission);
  const on = take(cursor, "ON") ? securable(cursor) : "*";
  if (!take(cursor, "TO")) expect(cursor, granted ? "TO" : "FROM");
  return { is: "grant", granted, permissions, on, to: name(cursor) };
}

function permission(cursor: Cursor): Permission {
  const found = PERMISSIONS.find((one) => take(cursor, ...one.split(" ")));
  if (found === undefined) throw syntaxError(peek(cursor));
  return found;
}

function securable(cursor: Cursor): string {
  if (take(cursor, "SCHEMA", "::")) return name(cursor);
  if (take(cursor, "DATABASE", "::")) {
    name(cursor);
    return "*";
  }
  take(cursor, "OBJECT", "::");
  const [object = "", schema = "dbo"] = dottedName(cursor).reverse();
  return `${schema}.${object}`;
}

/** After ALTER [SERVER] ROLE: `db_owner ADD MEMBER u`. */
export function parseMember(cursor: Cursor): StatementBody {
  const role = name(cursor);
  const add = take(cursor, "ADD");
  if (!add) expect(cursor, "DROP");
  expect(cursor, "MEMBER");
  return { is: "member", role, add, member: name(cursor) };
}
