/** Logins of the server and users of its databases: CREATE and DROP of both, and GRANT SELECT ON SCHEMA. */
import { sqlError } from "../values/errors.ts";
import type { Statement } from "./ast.ts";
import { isAdmin, isServerAdmin, type Login, type State } from "./state.ts";
import type { Store } from "./store.ts";

/** What all sessions of one server share. */
export interface Server {
  /** By lower-case name. */
  readonly stores: ReadonlyMap<string, Store>;
  readonly logins: Login[];
  readonly sessions: Set<State>;
}

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/** Throws SQL Server's errors for what is there already, is not there, or is not this login's to change. */
export function changePrincipal(server: Server, state: State, statement: Statement & { is: "principal" }): void {
  const { name, change } = statement;
  if (change === "grantSelect") {
    grantSelect(server, state, name, statement.schema);
    return;
  }
  const ofServer = change === "createLogin" || change === "dropLogin";
  if (!(ofServer ? isServerAdmin(state.login) : isAdmin(state.login))) throw sqlError(15247);
  const at = server.logins.findIndex((login) => same(login.name, name));
  const { users } = state.store;
  switch (change) {
    case "createLogin":
      if (at >= 0) throw sqlError(15025, name);
      server.logins.push({ name, password: statement.password, rights: { select: [] }, onlyAsUser: true });
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

function grantSelect(server: Server, state: State, name: string, schema: string): void {
  const known = state.store.catalog.schemas.has(schema.toLowerCase());
  if (!known || !isAdmin(state.login)) throw sqlError(15151, "find", "schema", schema);
  const login = server.logins.find((each) => same(each.name, name));
  if (login === undefined || !mayEnter(login, state.store)) throw sqlError(15151, "find", "user", name);
  if (typeof login.rights === "object") login.rights.select.push(schema);
}

/** Logins that came with the emulator's options get into every database, others where they are a user. */
export const mayEnter = ({ name, onlyAsUser }: Login, store: Store): boolean =>
  onlyAsUser !== true || store.users.has(name.toLowerCase());
