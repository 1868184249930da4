/** What `sql.schema` gives (frame 0x13): what there is to read, as far as the owner's policy shows it. */
import { z } from "zod";
import { watermarkMode } from "./operations.ts";

const name = z.string().max(128);

const schemaColumn = z.object({
  name,
  /** As T-SQL declares it: `decimal(38,10)`. */
  type: z.string().max(200),
  nullable: z.boolean(),
  identity: z.boolean(),
  /** Whether its values can be carried exactly; without, it has to be left out. */
  carried: z.boolean(),
  /** The rule that shows it masks it: it may be read so, and nothing can be filtered, ordered or followed by it. */
  masked: z.literal(true).optional(),
});

const schemaIndex = z.object({ name, unique: z.boolean(), primary: z.boolean(), columns: z.array(name).max(32) });

const schemaTable = z.object({
  schema: name,
  name,
  kind: z.enum(["table", "view"]),
  /** As the server's statistics have it; null for a view or an external table. */
  rows: z.number().nullable(),
  columns: z.array(schemaColumn).max(4096),
  /** What slices, positions and folds go by; empty where there is none that may be read. */
  key: z.array(name).max(32),
  indexes: z.array(schemaIndex).max(1000),
  watermarks: z.array(watermarkMode),
  /** Columns that the mode `column` can grow by. */
  watermarkColumns: z.array(name).max(4096),
});
export type SchemaTable = z.infer<typeof schemaTable>;

export const sqlSchemaResult = z.object({
  database: name,
  /** Whether it allows SNAPSHOT transactions. */
  snapshots: z.boolean(),
  tables: z.array(schemaTable),
});
export type SqlSchemaResult = z.infer<typeof sqlSchemaResult>;
