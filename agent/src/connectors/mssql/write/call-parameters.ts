/** Values for a procedure's parameters, exactly: single ones as for statements, rows of a table type as the server has them. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import type { ParameterValue } from "@sallyport/shared/schema/operation-words.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { TableValue } from "@sallyport/shared/schema/write-operations.ts";
import { TYPES } from "tedious";
import { splitTable } from "../../../names.ts";
import { type Parameter, quoteTable, type TediousType } from "../statement.ts";
import { parseDeclaration, statementParameter } from "../statement-parameter.ts";
import { cellWriter } from "./cell.ts";
import { createRowBytes } from "./row-bytes.ts";
import { BINARY, type TargetColumn, wireOf } from "./target-column.ts";
import { Unfit } from "./wire-value.ts";

/** US-ASCII, as SQL Server numbers it: what is the same in the code page of every collation. */
const ASCII = 20127;
const NARROW = /^(var)?char\b/;

/** @throws request.invalid naming the parameter, never its value. */
export function callParameter(name: string, declaration: string, value: ParameterValue): Parameter {
  // The server would put another letter, or `?`, for one that its code page has not.
  if (NARROW.test(declaration) && typeof value === "string" && /[^\0-\x7f]/.test(value)) {
    throw new SallyportError("request.invalid", `@${name} is a ${declaration} and takes ASCII; declare it nvarchar.`, {
      field: `operation.parameters.${name}`,
      type: declaration,
    });
  }
  return statementParameter(name, declaration, value);
}

/**
 * Rows of a table type [MS-TDS 2.2.5.5.5].
 * @param columns declared SQL type by column name, in the type's order
 * @throws request.invalid naming parameter, row and column
 */
export function tableParameter(
  name: string,
  tableType: string,
  columns: Readonly<Record<string, string>>,
  { rows }: TableValue,
): Parameter {
  const [schema = "dbo", typeName = tableType] = splitTable(tableType) ?? [];
  const targets = Object.entries(columns).map(
    ([column, declaration]): TargetColumn => ({
      name: column,
      declared: parseDeclaration(declaration),
      nullable: true,
      collation: undefined,
      codePage: NARROW.test(declaration) ? ASCII : undefined,
    }),
  );
  const cells = targets.map((target, at) =>
    cellsOf(
      name,
      target,
      rows.map((row) => row[at] ?? null),
    ),
  );
  const value = {
    name: typeName,
    schema,
    columns: targets.map((target) => {
      const { isMax: _, type, ...sizes } = wireOf(target);
      return { name: target.name, type: writtenAlready(type), ...sizes };
    }),
    rows: rows.map((_row, row) => cells.map((column) => column[row]!)),
  };
  // The driver's own would put the name as it is into the text of the parameters.
  const declaration = () => `${quoteTable({ schema, name: typeName })} readonly`;
  return { name, type: { ...TYPES.TVP, declaration } as unknown as TediousType, value };
}

/** The driver's type, for values that are bytes already. */
const writtenAlready = (type: TediousType): TediousType =>
  ({
    ...type,
    validate: (value: unknown) => value,
    writeValue: (buffer: { writeBuffer(bytes: Buffer): void }, { value }: { value: Buffer }) =>
      buffer.writeBuffer(value),
  }) as unknown as TediousType;

/** A column's values as bytes, length and all. They go through the same exact encoding as rows that are written. */
function cellsOf(parameter: string, target: TargetColumn, values: readonly ParameterValue[]): Buffer[] {
  const isBinary = BINARY.has(target.declared.name);
  const column = {
    name: target.name,
    type: { kind: isBinary ? "binary" : "utf8" },
    nullable: true,
    source: "",
  } as const;
  const batch = createBatch([column], DEFAULT_LIMITS);
  const [into] = batch.columns;
  for (const value of values) {
    if (value === null) into!.appendNull();
    else if (!isBinary) into!.appendString(String(value));
    else {
      const bytes = Buffer.from(String(value), "base64url");
      into!.appendBytes(bytes, 0, bytes.length);
    }
    batch.rowDone();
  }
  if (values.length === 0) return [];
  const out = createRowBytes();
  const put = cellWriter(out, into!.view(values.length), target);
  return values.map((_value, row) => {
    try {
      put(row);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      const text = `Row ${row} of @${parameter}: the value for ${target.name} ${error.message}.`;
      throw new SallyportError("request.invalid", text, { row, column: target.name });
    }
    return out.take();
  });
}
