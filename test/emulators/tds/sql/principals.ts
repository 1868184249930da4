/** Logins of the server and users of its databases: CREATE and DROP of both, what they are granted, their roles. */
import { sqlError } from "../values/errors.ts";
import type { Statement } from "./ast.ts";
import type { Procedure } from "./own-procedures.ts";
import { changed, isAdmin, isServerAdmin, withRole } from "./rights.ts";
import type { Login, State } from "./state.ts";
import type { Store } from "./store.ts";

/** What all sessions of one server share. */
export interface Server {
  /** By lower-case name. */
  readonly stores: ReadonlyMap<string, Store>;
  readonly logins: Login[];
  readonly sessions: Set<State>;
  /** Written in TypeScript, by lower-case `schema.name`, in every database. */
  readonly procedures: Map<string, Procedure>;
  readonly engineEdition: number;
  readonly isReplica: boolean;
}

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/** Throws SQL Server's errors for what is there already, is not there, or is not this login's to change. */
export function changePrincipal(server: Server, state: State, statement: Statement & { is: "principal" }): void {
  const { name, change } = statement;
  const ofServer = change === "createLogin" || change === "dropLogin";
  if (!(ofServer ? isServerAdmin(state.login) : isAdmin(state.login))) throw sqlError(15247);
  const at = server.logins.findIndex((login) => same(login.name, name));
  const { users } = state.store;
  switch (change) {
    case "createLogin":
      if (at >= 0) throw sqlError(15025, name);
      server.logins.push({ name, password: statement.password, rights: {}, onlyAsUser: true });
      return;
    case "dropLogin":
      if (at < 0) throw sqlError(15151, "drop", "login", name);
      if ([...server.sessions].some(({ login }) => same(login.name, name))) throw sqlError(15434, name);
      server.logins.splice(at, 1);
      return;
    case "createUser":
      if (at < 0) throw sqlError(15007, statement.login);
      if (users.has(name.toLowerCase())) throw sqlError(15023, name);
      users.add(name.toLowerCase());
      return;
    case "dropUser":
      if (!users.delete(name.toLowerCase())) throw sqlError(15151, "drop", "user", name);
      return;
    default:
      change satisfies never;
  }
}

/** GRANT and REVOKE. Throws error 15151 for a schema, object or user that is not there, or is not this login's to give. */
export function grant(server: Server, state: State, statement: Statement & { is: "grant" }): void {
  const { on, to, permissions, granted } = statement;
  const { catalog } = state.store;
  const [schema = "", object] = on.toLowerCase().split(".");
  const known =
    on === "*" || (object === undefined ? catalog.schemas.has(schema) : catalog.tables.has(on.toLowerCase()));
  if (!known || !isAdmin(state.login)) throw sqlError(15151, "find", object === undefined ? "schema" : "object", on);
  const login = requireUser(server, state, to);
  login.rights = changed(login.rights, permissions, on, granted);
}

/** ALTER ROLE … ADD or DROP MEMBER. Throws error 15151. */
export function changeMember(server: Server, state: State, { role, add, member }: Statement & { is: "member" }): void {
  const ofServer = !role.toLowerCase().startsWith("db_");
  if (!(ofServer ? isServerAdmin(state.login) : isAdmin(state.login))) throw sqlError(15151, "alter", "role", role);
  const login = requireUser(server, state, member);
  login.rights = withRole(login.rights, role, add);
}

function requireUser(server: Server, state: State, name: string): Login {
  const login = server.logins.find((each) => same(each.name, name));
  if (login === undefined || !mayEnter(login, state.store)) throw sqlError(15151, "find", "user", name);
  return login;
}

/** Logins that came with the emulator's options get into every database, others where they are a user. */
export const mayEnter = ({ name, onlyAsUser }: Login, store: Store): boolean =>
  onlyAsUser !== true || store.users.has(name.toLowerCase());
