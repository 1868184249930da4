/** What a login may do, as far as the emulator asks: fixed roles, and grants on the database, a schema or an object. */
import type { Login } from "./state.ts";

/** Permissions of a database, as GRANT names them. */
export const PERMISSIONS = [
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "EXECUTE",
  "VIEW CHANGE TRACKING",
  "VIEW DATABASE STATE",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** A database, a schema, or a schema and an object of it, in lower case: `*`, `hr`, `dbo.flights`. */
export type Securable = string;

export interface Rights {
  /** Schemas (`hr`), tables, views and procedures (`dbo.Flights`), or `*`. */
  readonly select?: readonly Securable[];
  readonly insert?: readonly Securable[];
  readonly update?: readonly Securable[];
  readonly delete?: readonly Securable[];
  readonly execute?: readonly Securable[];
  readonly viewChangeTracking?: readonly Securable[];
  /** Of the database only: `*`. */
  readonly viewDatabaseState?: readonly Securable[];
  /** Fixed roles: `sysadmin` of the server, `db_owner`, `db_datareader`, `db_datawriter` of every database. */
  readonly roles?: readonly string[];
  /** CONTROL of the server, or of every database: everything, without a role. */
  readonly control?: readonly ("server" | "database")[];
}

const FIELDS: Readonly<Record<Permission, Exclude<keyof Rights, "roles" | "control">>> = {
  SELECT: "select",
  INSERT: "insert",
  UPDATE: "update",
  DELETE: "delete",
  EXECUTE: "execute",
  "VIEW CHANGE TRACKING": "viewChangeTracking",
  "VIEW DATABASE STATE": "viewDatabaseState",
};

const ROLES: Readonly<Record<string, readonly string[]>> = {
  sysadmin: ["sysadmin", "db_owner"],
  admin: ["sysadmin", "db_owner"],
  owner: ["db_owner"],
  read: ["db_datareader"],
};
const OF_ROLE: Readonly<Record<string, readonly Permission[]>> = {
  db_datareader: ["SELECT"],
  db_datawriter: ["INSERT", "UPDATE", "DELETE"],
};

function rolesOf({ rights = "sysadmin" }: Login): readonly string[] {
  return typeof rights === "string" ? (ROLES[rights] ?? []) : (rights.roles ?? []);
}

/** Whether the login is a member of a fixed role; everyone is one of `public`. Null for a role that there is not. */
export function isMember(login: Login, role: string): boolean | null {
  const wanted = role.toLowerCase();
  if (wanted === "public") return true;
  return /^(db_\w+|\w+admin)$/.test(wanted) ? rolesOf(login).some((one) => one.toLowerCase() === wanted) : null;
}

/** Whether it may do everything in a database. */
export const isAdmin = (login: Login): boolean =>
  isMember(login, "db_owner") === true || isMember(login, "sysadmin") === true;

/** Whether it has CONTROL of a database, or of the server, which implies the other. */
export function hasControl(login: Login, of: "server" | "database"): boolean {
  if (of === "server" ? isServerAdmin(login) : isAdmin(login)) return true;
  const { control = [] } = typeof login.rights === "object" ? login.rights : {};
  return control.includes("server") || control.includes(of);
}

export const isServerAdmin = (login: Login): boolean => isMember(login, "sysadmin") === true;

/** Whether the login has a permission on that object. The catalog views are everyone's to read. */
export function may(login: Login, permission: Permission, schema: string, name: string): boolean {
  if (hasControl(login, "database") || name.startsWith("#")) return true;
  if (permission === "SELECT" && /^(sys|information_schema)$/i.test(schema)) return true;
  if (rolesOf(login).some((role) => OF_ROLE[role.toLowerCase()]?.includes(permission) === true)) return true;
  const { rights } = login;
  const granted = typeof rights === "object" ? (rights[FIELDS[permission]] ?? []) : [];
  const wanted = ["*", schema.toLowerCase(), `${schema}.${name}`.toLowerCase()];
  return granted.some((one) => wanted.includes(one.toLowerCase()));
}

/** Whether the login has a permission on the database as a whole. */
export const mayInDatabase = (login: Login, permission: Permission): boolean => may(login, permission, "*", "*");

/** The rights with these permissions on a securable added, or taken away. */
export function changed(
  rights: Login["rights"],
  permissions: readonly Permission[],
  on: Securable,
  granted: boolean,
): Rights {
  const before: Rights = typeof rights === "object" ? rights : { roles: ROLES[rights ?? "sysadmin"] ?? [] };
  const after: Record<string, readonly string[]> = { ...before };
  for (const permission of permissions) {
    const field = FIELDS[permission];
    const others = (before[field] ?? []).filter((one) => one.toLowerCase() !== on.toLowerCase());
    after[field] = granted ? [...others, on.toLowerCase()] : others;
  }
  return after;
}

export function withRole(rights: Login["rights"], role: string, member: boolean): Rights {
  const before = changed(rights, [], "", true);
  const others = (before.roles ?? []).filter((one) => one.toLowerCase() !== role.toLowerCase());
  return { ...before, roles: member ? [...others, role.toLowerCase()] : others };
}
