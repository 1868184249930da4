/** The T-SQL by which a database's administrator gives a login just what the policy allows, takes it back, or ends its sessions. */
import type { MssqlConnection } from "@sallyport/shared/schema/policy.ts";
import { splitTable } from "../names.ts";
import { type Right, rightsOf, rulesByHand } from "./rights.ts";

/** For people of the server: a name in brackets, and a text in quotes [T-SQL, QUOTENAME]. */
const bracketed = (name: string): string => `[${name.replaceAll("]", "]]")}]`;
const quoted = (text: string): string => `N'${text.replaceAll("'", "''")}'`;

const RANDOM = "CONVERT(nvarchar(64), CRYPT_GEN_RANDOM(24), 2)";

/** The login without a password that anybody knows, its user, and its rights. Run again it changes nothing. */
export function grantScript(name: string, connection: MssqlConnection, login: string): string {
  const { database } = connection;
  const principal = bracketed(login);
  const isWindows = login.includes("\\");
  const made = isWindows ? `CREATE LOGIN ${principal} FROM WINDOWS` : `CREATE LOGIN ${principal} WITH PASSWORD = N'`;
  const create = isWindows ? quoted(made) : `${quoted(made)} + ${RANDOM} + N'aA1!'''`;
  const byHand = rulesByHand(connection);
  return [
    `-- Rights of the connection ${name} in the policy. Run as an administrator of the server.`,
    `DECLARE @create nvarchar(max) = ${create};`,
    `IF SUSER_ID(${quoted(login)}) IS NULL EXEC sys.sp_executesql @create;`,
    ...(isWindows ? [] : ["-- Its password is random: set one that you store, with ALTER LOGIN … WITH PASSWORD."]),
    `USE ${bracketed(database)};`,
    `IF DATABASE_PRINCIPAL_ID(${quoted(login)}) IS NULL CREATE USER ${principal} FOR LOGIN ${principal};`,
    ...changes(connection, login, "GRANT"),
    ...byHand.map((rule) => `-- ${rule}: grant what its T-SQL reads; the agent does not parse it.`),
    "",
  ].join("\n");
}

/** Takes back what `grantScript` gave; the user and the login stay, for who else may use them. */
export const revokeScript = (name: string, connection: MssqlConnection, login: string): string =>
  [
    `-- Takes back the rights of the connection ${name}. Then, if nothing else uses it: DROP USER, and DROP LOGIN.`,
    `USE ${bracketed(connection.database)};`,
    ...changes(connection, login, "REVOKE"),
    "",
  ].join("\n");

/** Shows the sessions of a connection, and ends those of one request. Needs VIEW SERVER STATE and ALTER ANY CONNECTION. */
export function sessionsScript(name: string): string {
  const program = quoted(`sallyport/${name}`.slice(0, 128));
  return [
    `-- The agent's sessions of the connection ${name}, with the id of the request that each serves.`,
    "SELECT session_id, login_name, host_name, login_time, status, CONVERT(varchar(128), context_info) AS request",
    `FROM sys.dm_exec_sessions WHERE program_name = ${program};`,
    "-- Ends the sessions of one request: put its id between the quotes. Empty, it ends none.",
    "DECLARE @request varbinary(128) = CONVERT(varbinary(128), '');",
    "DECLARE @kill nvarchar(max) = N'';",
    "SELECT @kill += N'KILL ' + CONVERT(nvarchar(10), session_id) + N';' FROM sys.dm_exec_sessions",
    `WHERE program_name = ${program} AND DATALENGTH(@request) > 0`,
    "AND SUBSTRING(context_info, 1, DATALENGTH(@request)) = @request;",
    "EXEC sys.sp_executesql @kill;",
    "",
  ].join("\n");
}

type Verb = "GRANT" | "REVOKE";

function changes(connection: MssqlConnection, login: string, verb: Verb): string[] {
  const to = `${verb === "GRANT" ? "TO" : "FROM"} ${bracketed(login)};`;
  const lines = rightsOf(connection).map((right) =>
    right.name.includes("*") ? forEachTable(right, verb, to) : `${changeOf(right, verb)}${objectOf(right)} ${to}`,
  );
  const patterns = lines.some((line) => line.startsWith("SET @sql"));
  if (!patterns) return lines;
  const note = "-- A name with * is every base table that it fits today: run this again for those that come.";
  return [note, "DECLARE @sql nvarchar(max);", ...lines];
}

function changeOf({ permission, columns }: Right, verb: Verb): string {
  const list = columns === "*" ? "" : ` (${columns.map(bracketed).join(", ")})`;
  return `${verb} ${permission}${list} ON `;
}

function objectOf({ on, name }: Right): string {
  const [schema, object] = splitTable(name) ?? ["dbo", name];
  return `${on === "type" ? "TYPE" : "OBJECT"}::${bracketed(schema)}.${bracketed(object)}`;
}

/** What a pattern does not reach either when a table is read: external tables, and histories, which have another's rows. */
const OWN_ROWS = "t.is_external = 0 AND t.temporal_type <> 1";

/** Denied tables are left out, whatever rule allows them. Taken back is from every table, also from what became a history since. */
function forEachTable(right: Right, verb: Verb, to: string): string {
  const fits = (pattern: string): string => {
    const [schema = "", name = ""] = pattern.split(".");
    const like = name.replace(/[%_]/g, "[$&]").replaceAll("*", "%");
    return `(s.name = ${quoted(schema)} AND t.name LIKE ${quoted(like)})`;
  };
  const table = "QUOTENAME(s.name) + N'.' + QUOTENAME(t.name)";
  const except = right.except.map((pattern) => `NOT ${fits(pattern)}`);
  const where = [fits(right.name), ...(verb === "GRANT" ? [OWN_ROWS] : []), ...except].join(" AND ");
  return [
    "SET @sql = N'';",
    `SELECT @sql += ${quoted(`${changeOf(right, verb)}OBJECT::`)} + ${table} + ${quoted(` ${to}`)}`,
    `FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE ${where};`,
    "EXEC sys.sp_executesql @sql;",
  ].join("\n");
}
