/** CHANGETABLE: the changes of a table, netted by key. */
import { sqlError } from "../values/errors.ts";
import { type SqlType, sqlType } from "../values/type.ts";
import type { Binding, Scope, ScopeColumn } from "./bound.ts";
import { quoteName, type Table } from "./catalog.ts";
import { changesOf, isTracked, keyColumns } from "./change-tracking.ts";
import { may } from "./rights.ts";

const BIGINT = sqlType("bigint");

/**
 * SQLite's text of CHANGETABLE(CHANGES t, @version) AS c; its columns are added to the scope.
 * @param since SQLite's text of the version. Throws errors 22105 and 229.
 */
export function bindChanges(binding: Binding, scope: Scope, table: Table, since: string, called: string): string {
  const { state } = binding;
  if (!may(state.login, "VIEW CHANGE TRACKING", table.schema, table.name)) {
    throw sqlError(229, "VIEW CHANGE TRACKING", table.name, state.store.database, table.schema);
  }
  if (!may(state.login, "SELECT", table.schema, table.name)) {
    throw sqlError(229, "SELECT", table.name, state.store.database, table.schema);
  }
  if (!isTracked(state.sqlite, table)) throw sqlError(22105, table.name);
  const keys = keyColumns(table);
  const names = keys.map(({ name }) => quoteName(name)).join(", ");
  const alias = `t${binding.aliases++}`;
  const column = (name: string, type: SqlType): ScopeColumn => ({
    name,
    bound: { sql: `${alias}.${quoteName(name)}`, type, nullable: true },
  });
  scope.sources.push({
    alias: called,
    columns: [
      column("SYS_CHANGE_VERSION", BIGINT),
      column("SYS_CHANGE_CREATION_VERSION", BIGINT),
      column("SYS_CHANGE_OPERATION", sqlType("nchar", { length: 1 })),
      column("SYS_CHANGE_COLUMNS", sqlType("varbinary", { length: 4100 })),
      column("SYS_CHANGE_CONTEXT", sqlType("varbinary", { length: 128 })),
      ...keys.map(
        (key): ScopeColumn => ({
          name: key.name,
          bound: {
            sql: `${alias}.${quoteName(key.name)}`,
            type: key.type,
            nullable: false,
            column: { table, column: key },
          },
        }),
      ),
    ],
  });
  return `(SELECT version AS SYS_CHANGE_VERSION, CASE operation WHEN 'D' THEN NULL ELSE created END AS SYS_CHANGE_CREATION_VERSION,
    CASE WHEN operation = 'D' THEN 'D' WHEN created IS NULL THEN 'U' ELSE 'I' END AS SYS_CHANGE_OPERATION,
    NULL AS SYS_CHANGE_COLUMNS, NULL AS SYS_CHANGE_CONTEXT, ${names}
    FROM (SELECT *, row_number() OVER (PARTITION BY ${names} ORDER BY seq DESC) AS place,
      max(CASE operation WHEN 'I' THEN version END) OVER (PARTITION BY ${names}) AS created
      FROM ${changesOf(table.objectId)} WHERE version > ifnull(${since}, -1)) WHERE place = 1) AS ${alias}`;
}
