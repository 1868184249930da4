/** Refuses logins that could do everything: then the policy would be the only wall, and a mistake in it the last one. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ask } from "./ask.ts";
import type { Session } from "./session.ts";

/**
 * The owner of a database is its user dbo, whatever roles say; and whoever was granted CONTROL needs no role. Each of these
 * is 1, 0, or NULL where it is not known.
 */
const MEMBERSHIPS = `SELECT IS_SRVROLEMEMBER('sysadmin') AS sysadmin, IS_ROLEMEMBER('db_owner') AS db_owner,
CASE WHEN USER_NAME() = 'dbo' THEN 1 ELSE 0 END AS dbo, HAS_PERMS_BY_NAME(NULL, NULL, 'CONTROL SERVER') AS control_server,
HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), 'DATABASE', 'CONTROL') AS control_database`;
const ROLES = ["sysadmin", "db_owner", "dbo", "control_server", "control_database"];

/** @throws SallyportError `connection.over_privileged`, with the role in its facts. */
export async function refuseOverPrivileged(session: Session, signal: AbortSignal): Promise<void> {
  const [row = {}] = await ask(session, { sql: MEMBERSHIPS, parameters: [] }, signal);
  const role = ROLES.find((name) => Number(row[name]) === 1);
  if (role === undefined) return;
  throw new SallyportError("connection.over_privileged", `The login could do everything here: it is ${role}.`, {
    role,
  });
}
