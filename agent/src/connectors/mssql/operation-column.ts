/** The column that says what happened to a row. It is worked out by the server, so it arrives like any other. */
import { CHANGE_COLUMN } from "@sallyport/shared/schema/operations.ts";
import type { CatalogColumn, CatalogTable } from "./catalog.ts";

const OPERATION_LENGTH = 6;

/** @param expression T-SQL for `insert`, `update`, `delete` or `before`. */
export const operationColumn = (expression: string): CatalogColumn => ({
  name: CHANGE_COLUMN,
  declared: { name: "varchar", length: OPERATION_LENGTH },
  collation: undefined,
  nullable: false,
  expression: `CAST(${expression} AS varchar(${OPERATION_LENGTH}))`,
});

/** The columns of a row that may be gone: all but the key can be NULL then. */
export const maybeGone = (columns: readonly CatalogColumn[], { key }: Pick<CatalogTable, "key">): CatalogColumn[] =>
  columns.map((column) => (key.includes(column) || column.nullable ? column : { ...column, nullable: true }));
