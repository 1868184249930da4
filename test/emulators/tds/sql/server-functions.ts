/** Functions that ask about the server, the database, the session or its rights. */
import { sqlError } from "../values/errors.ts";
import { COLLATIONS, type SqlType, type SqlValue, sqlType, TYPES } from "../values/type.ts";
import type { CallContext } from "./bind-call.ts";
import { type Bound, computed, constant, converted, INT } from "./bound.ts";
import { type Catalog, isTemporary, splitName, type Table, tableKey } from "./catalog.ts";
import { isCaptured } from "./cdc.ts";
import { syntaxError } from "./cursor.ts";
import { tokenize } from "./lexer.ts";
import { LSN_FUNCTIONS } from "./lsn-functions.ts";
import { hasControl, isAdmin, isMember, may, PERMISSIONS } from "./rights.ts";
import type { State } from "./state.ts";
import { minActiveVersion } from "./store.ts";
import { catalogTypeName } from "./system-tables.ts";

type Body = (state: State, args: readonly SqlValue[]) => SqlValue;

const NAME = sqlType("nvarchar", { length: 128 });
const text = (value: SqlValue | undefined): string => String(value ?? "");

/** The parts of a name in a string: `dbo.T`, `[my].[table]`. */
export function nameParts(name: string): string[] {
  return tokenize(name)
    .filter((token) => token.kind === "word" || token.kind === "quoted")
    .map((token) => token.text);
}

/** The table that a name in a string means, in the session's database or among its temporary tables. */
export function findByName(state: State, name: string): Table | null {
  const parts = nameParts(name);
  const last = parts.at(-1) ?? "";
  if (isTemporary(last)) return state.temporary.get(last.toLowerCase()) ?? null;
  const place = splitName(parts, state.store.database);
  return place === null ? null : (state.store.catalog.tables.get(tableKey(place.schema, place.name)) ?? null);
}

const byId = (catalog: Catalog, id: SqlValue | undefined): Table | undefined =>
  [...catalog.tables.values()].find((table) => table.objectId === Number(id));

const typeNames = Object.entries(TYPES).map(
  ([name, row]) => [catalogTypeName(name as SqlType["name"]), row.userId] as const,
);

function property({ engineEdition }: State, name: string): SqlValue {
  switch (name.toLowerCase()) {
    case "productversion":
      return "16.0.1000.6";
    case "productmajorversion":
      return "16";
    case "productlevel":
      return "RTM";
    case "edition":
      return "Developer Edition (64-bit)";
    case "engineedition":
      return String(engineEdition);
    case "servername":
    case "machinename":
      return "EMULATOR";
    case "collation":
      return "SQL_Latin1_General_CP1_CI_AS";
    case "isintegratedsecurityonly":
      return "0";
    default:
      return null;
  }
}

const CODE_PAGES: Readonly<Record<string, number>> = { "windows-1252": 1252, "utf-8": 65001 };

function collationProperty(name: string, wanted: string): SqlValue {
  const collation = COLLATIONS.find((known) => known.name.toLowerCase() === name.toLowerCase());
  if (collation === undefined || wanted.toLowerCase() !== "codepage") return null;
  return CODE_PAGES[collation.encoding] ?? null;
}

function permission(state: State, [securable, kind, wanted]: readonly SqlValue[]): SqlValue {
  if (wanted === "CONTROL SERVER") return hasControl(state.login, "server") ? 1 : 0;
  if (isAdmin(state.login)) return 1;
  if (wanted === "CONTROL" && kind === "DATABASE") return hasControl(state.login, "database") ? 1 : 0;
  const permission = PERMISSIONS.find((one) => one === text(wanted).toUpperCase());
  if (permission === undefined || text(kind).toUpperCase() !== "OBJECT") return 0;
  const table = findByName(state, text(securable));
  if (table === null) return null;
  return may(state.login, permission, table.schema, table.name) ? 1 : 0;
}

const membership = (state: State, role: SqlValue | undefined): SqlValue => {
  const member = isMember(state.login, text(role));
  return member === null ? null : member ? 1 : 0;
};

const server: Readonly<Record<string, readonly [SqlType, Body]>> = {
  object_id: [
    INT,
    (state, [name, kind]) => {
      const table = findByName(state, text(name));
      if (table === null) return null;
      if (kind !== undefined && kind !== null && (text(kind).trim().toUpperCase() === "V") !== (table.view !== null))
        return null;
      return table.objectId;
    },
  ],
  object_name: [NAME, (state, [id]) => byId(state.store.catalog, id)?.name ?? null],
  object_schema_name: [NAME, (state, [id]) => byId(state.store.catalog, id)?.schema ?? null],
  schema_name: [
    NAME,
    (state, [id]) =>
      id === undefined
        ? "dbo"
        : ([...state.store.catalog.schemas.values()].find((schema) => schema.id === Number(id))?.name ?? null),
  ],
  schema_id: [INT, (state, [name]) => state.store.catalog.schemas.get(text(name ?? "dbo").toLowerCase())?.id ?? null],
  type_name: [
    NAME,
    (_state, [id]) =>
      Number(id) === 256 ? "sysname" : (typeNames.find(([, userId]) => userId === Number(id))?.[0] ?? null),
  ],
  type_id: [INT, (_state, [name]) => typeNames.find(([known]) => known === text(name).toLowerCase())?.[1] ?? null],
  col_name: [NAME, (state, [id, column]) => byId(state.store.catalog, id)?.columns[Number(column) - 1]?.name ?? null],
  db_name: [
    NAME,
    (state, [id]) => (id === undefined ? state.store.database : (state.store.databases[Number(id) - 1] ?? null)),
  ],
  db_id: [
    sqlType("smallint"),
    (state, [name]) => {
      const wanted = name === undefined ? state.store.database : text(name);
      return state.store.databases.findIndex((known) => known.toLowerCase() === wanted.toLowerCase()) + 1 || null;
    },
  ],
  suser_sname: [NAME, (state) => state.login.name],
  suser_name: [NAME, (state) => state.login.name],
  system_user: [NAME, (state) => state.login.name],
  original_login: [NAME, (state) => state.login.name],
  user_name: [NAME, (state) => (isAdmin(state.login) ? "dbo" : state.login.name)],
  app_name: [NAME, (state) => state.application],
  program_name: [NAME, (state) => state.application],
  host_name: [NAME, (state) => state.host],
  is_srvrolemember: [INT, (state, [role]) => membership(state, role)],
  is_rolemember: [INT, (state, [role]) => membership(state, role)],
  is_member: [INT, (state, [role]) => membership(state, role)],
  has_perms_by_name: [INT, permission],
  has_dbaccess: [
    INT,
    (state, [name]) =>
      state.store.databases.some((known) => known.toLowerCase() === text(name).toLowerCase()) ? 1 : 0,
  ],
  serverproperty: [NAME, (state, [name]) => property(state, text(name))],
  collationproperty: [INT, (_state, [name, wanted]) => collationProperty(text(name), text(wanted))],
  databasepropertyex: [
    NAME,
    ({ isReplica }, [, name]) => {
      const wanted = text(name).toLowerCase();
      if (wanted === "updateability") return isReplica ? "READ_ONLY" : "READ_WRITE";
      if (wanted === "collation") return "SQL_Latin1_General_CP1_CI_AS";
      return wanted === "status" ? "ONLINE" : null;
    },
  ],
  objectproperty: [
    INT,
    (state, [id, name]) => {
      const table = byId(state.store.catalog, id);
      if (table === undefined) return null;
      const view = table.view !== null;
      const wanted = text(name).toLowerCase();
      if (wanted === "isview") return view ? 1 : 0;
      if (wanted === "istable" || wanted === "isusertable") return view ? 0 : 1;
      return wanted === "tablehasprimarykey" ? (table.keys.some((key) => key.kind === "primary") ? 1 : 0) : null;
    },
  ],
  columnproperty: [
    INT,
    (state, [id, column, name]) => {
      const found = byId(state.store.catalog, id)?.columns.find(
        (c) => c.name.toLowerCase() === text(column).toLowerCase(),
      );
      if (found === undefined) return null;
      const wanted = text(name).toLowerCase();
      return wanted === "allowsnull"
        ? found.nullable
          ? 1
          : 0
        : wanted === "isidentity"
          ? found.identity === null
            ? 0
            : 1
          : null;
    },
  ],
  min_active_rowversion: [sqlType("rowversion"), (state) => minActiveVersion(state.store)],
  scope_identity: [sqlType("numeric", { precision: 38, scale: 0 }), () => null],
  context_info: [sqlType("varbinary", { length: 128 }), (state) => state.contextInfo],
  xact_state: [sqlType("smallint"), (state) => (state.transaction === null ? 0 : state.transaction.doomed ? -1 : 1)],
};

// These differ from one call to the next, or are no plain answer of their arguments: never folded into the text.
const SESSION_VALUES: Readonly<Record<string, (state: State) => SqlValue>> = {
  scope_identity: (state) => state.identity,
};

// What the session's connection sees of it, so that a snapshot has its own version.
const TRACKED: Readonly<Record<string, (state: State, args: readonly Bound[]) => string | null>> = {
  change_tracking_current_version: () =>
    '(SELECT version FROM "#tracking" WHERE EXISTS (SELECT 1 FROM "sys.change_tracking_databases"))',
  change_tracking_min_valid_version: (state, [of]) => {
    const table = byId(state.store.catalog, of?.constant);
    if (table === undefined || !may(state.login, "VIEW CHANGE TRACKING", table.schema, table.name)) return null;
    return `(SELECT min_valid_version FROM "sys.change_tracking_tables" WHERE object_id = ${table.objectId})`;
  },
};

/** Throws error 195 for a name that is no function here. */
export function serverFunction(context: CallContext, args: readonly Bound[]): Bound {
  const { binding, expression } = context;
  const tracked = TRACKED[expression.name];
  if (tracked !== undefined) {
    const sql = tracked(binding.state, args);
    return sql === null ? constant(binding, null, sqlType("bigint")) : computed(sql, sqlType("bigint"));
  }
  const lsn = LSN_FUNCTIONS[expression.name];
  if (lsn !== undefined) {
    if (isCaptured(binding.state.store.catalog)) return lsn(args);
    return constant(binding, null, sqlType("binary", { length: 10 }));
  }
  const found = server[expression.name];
  if (found === undefined) {
    const error = expression.name.includes(".") ? syntaxError(expression.token) : sqlError(195, expression.name);
    error.line = expression.token.line;
    throw error;
  }
  const [type, body] = found;
  const own = SESSION_VALUES[expression.name];
  if (own !== undefined) {
    const value = own(binding.state);
    return converted(binding, constant(binding, value, sqlType("bigint")), type);
  }
  if (args.every((arg) => arg.constant !== undefined)) {
    const value = body(
      binding.state,
      args.map((arg) => arg.constant ?? null),
    );
    // MIN_ACTIVE_ROWVERSION is a binary(8) that orders like a number; so is the column it is compared with.
    return { ...constant(binding, value, type), nullable: true };
  }
  return computed(`server('${expression.name}'${args.map((arg) => `,${arg.sql}`).join("")})`, type);
}

/** The same functions for arguments that differ by row. */
export function installServerFunctions(state: State): void {
  state.sqlite.function("server", { varargs: true }, (name: SqlValue, ...args: SqlValue[]) => {
    const body = server[text(name)]?.[1];
    const value = body === undefined ? null : body(state, args);
    return typeof value === "number" ? BigInt(value) : value;
  });
}
