/**
 * The table of types in docs/connectors/mssql.md, made from the one table of `shared/src/rows/types.ts` so that the two cannot
 * differ.
 *
 *   npx node test/rules/pages.ts     write the table into the page, and all others that are made
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type ColumnType,
  SQL_SERVER_TYPES,
  type SqlServerDeclaration,
  sqlServerType,
} from "@sallyport/shared/rows/types.ts";

export const PAGE: string = fileURLToPath(new URL("../../docs/connectors/mssql.md", import.meta.url));
const BEGIN = "<!-- types: made by npx node test/rules/pages.ts -->\n";
const END = "<!-- end of types -->\n";

/** What is asked for each type that its name alone does not decide. */
const SHAPES: Readonly<
  Record<string, readonly (readonly [label: string, declared: Omit<SqlServerDeclaration, "name">])[]>
> = {
  decimal: [["decimal(p,s)", { precision: 31, scale: 7 }]],
  numeric: [["numeric(p,s)", { precision: 31, scale: 7 }]],
  time: [["time(n)", { scale: 7 }]],
  float: [
    ["float(1…24)", { precision: 24 }],
    ["float", { precision: 53 }],
  ],
  datetime2: [
    ["datetime2(0…6)", { scale: 6 }],
    ["datetime2(7)", { scale: 7 }],
  ],
  datetimeoffset: [
    ["datetimeoffset(0…6)", { scale: 6 }],
    ["datetimeoffset(7)", { scale: 7 }],
  ],
};

const UNITS = { ms: "ms", us: "µs", ns: "ns" } as const;

/** A column type as people who know Arrow call it. */
function arrowText(type: ColumnType): string {
  switch (type.kind) {
    case "bool":
      return "Bool";
    case "int":
      return `${type.signed ? "" : "U"}Int${type.bits}`;
    case "float":
      return `Float${type.bits}`;
    case "decimal":
      return type.precision === 31 ? "Decimal128(p, s), all 38 digits" : `Decimal128(${type.precision}, ${type.scale})`;
    case "utf8":
      return "Utf8";
    case "binary":
      return "Binary";
    case "fixedBinary":
      return `FixedSizeBinary(${type.bytes})${type.uuid ? ", marked as UUID" : ""}`;
    case "date":
      return "Date32";
    case "time":
      return "Time64(ns)";
    case "timestamp":
      return `Timestamp(${UNITS[type.unit]}), without a zone`;
    case "timestampOffset":
      return `Struct { instant: Timestamp(${UNITS[type.unit]}) in UTC, offset_minutes: Int16 }`;
    case "list":
      return `List(${arrowText(type.of)})`;
    default:
      return type satisfies never;
  }
}

/** The table: types that become the same stand in one row. */
export function typesTable(): string {
  const rows = new Map<string, string[]>();
  for (const name of SQL_SERVER_TYPES) {
    for (const [label, declared] of SHAPES[name] ?? [[name, {}] as const]) {
      const type = sqlServerType({ name, ...declared });
      if (type === undefined) throw new Error(`${label} has no column type`);
      const text = arrowText(type);
      rows.set(text, [...(rows.get(text) ?? []), `\`${label}\``]);
    }
  }
  const lines = [...rows].map(([arrow, names]) => `| ${names.join(", ")} | ${arrow} |`);
  return `| SQL Server | Arrow and Parquet |\n|---|---|\n${lines.join("\n")}\n`;
}

/** The page with the table in its place. @throws where the page has no place for it */
export function withTypes(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("docs/connectors/mssql.md has no place for the table of types");
  return page.slice(0, begin + BEGIN.length) + typesTable() + page.slice(end);
}

export const readTypesPage = (): string => readFileSync(PAGE, "utf8");
