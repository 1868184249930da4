/** Rows of the benchmarks, from a seeded generator: the same in every run and on every machine. */
import { createCipheriv, createHash } from "node:crypto";
import sql from "mssql";
import type { SampleServer } from "../stack/sample.ts";

export const NARROW = "dbo.Readings";
export const NARROW_COLUMNS = ["Id", "MeasuredAt", "Value", "Quality", "Sensor", "Place", "Version"] as const;

const NARROW_TABLE = `CREATE TABLE [dbo].[Readings] (
  [Id] bigint NOT NULL PRIMARY KEY, [MeasuredAt] datetime2(7) NOT NULL, [Value] int NOT NULL, [Quality] int NOT NULL,
  [Sensor] nvarchar(8) NOT NULL, [Place] nvarchar(8) NOT NULL, [Version] rowversion NOT NULL)`;

/** Bytes of a wide row's binary and characters of its text. */
const BODY_BYTES = 48_000;
const NOTE_CHARACTERS = 1_000;
/** What is stored once and read many times, so that gigabytes are sent and only these megabytes kept. */
const WIDE_ROWS = 1_000;
/** Bytes of a wide row as Arrow has it: texts are ASCII, and three columns count 4 bytes a row. */
export const WIDE_ROW_BYTES: number = BODY_BYTES + NOTE_CHARACTERS + 16;
export const WIDE_COLUMNS = ["Copy", "Id", "Body", "Note"] as const;

const WIDE_TABLES = `CREATE TABLE [dbo].[Copies] ([Copy] int NOT NULL PRIMARY KEY);
  CREATE TABLE [dbo].[Wide] ([Id] int NOT NULL PRIMARY KEY, [Body] varbinary(max) NOT NULL, [Note] nvarchar(max) NOT NULL)`;

const BULK_ROWS = 50_000;
const FIRST_MS = Date.UTC(2020, 0, 1);

/** @returns how many seconds it took. */
export async function fillNarrow(server: SampleServer, rows: number): Promise<number> {
  const startedMs = performance.now();
  await withPool(server, async (pool) => {
    await pool.request().batch(NARROW_TABLE);
    const random = numbers(1);
    for (let id = 1; id <= rows; ) {
      const table = narrowTable();
      for (const end = Math.min(rows, id + BULK_ROWS - 1); id <= end; id++) {
        const ms = FIRST_MS + id * 997 + (random() % 997);
        table.rows.add(id, new Date(ms), random() | 0, random() % 100, name(random()), name(random()));
      }
      await pool.request().bulk(table);
    }
  });
  return (performance.now() - startedMs) / 1000;
}

function narrowTable(): sql.Table {
  const table = new sql.Table(NARROW);
  table.create = false;
  table.columns.add("Id", sql.BigInt, { nullable: false });
  table.columns.add("MeasuredAt", sql.DateTime2(7), { nullable: false });
  table.columns.add("Value", sql.Int, { nullable: false });
  table.columns.add("Quality", sql.Int, { nullable: false });
  table.columns.add("Sensor", sql.NVarChar(8), { nullable: false });
  table.columns.add("Place", sql.NVarChar(8), { nullable: false });
  return table;
}

/** Random bytes and texts, which no compression makes much smaller. */
export async function fillWide(server: SampleServer, copies: number): Promise<void> {
  const noise = createCipheriv("aes-256-ctr", createHash("sha256").update("wide rows").digest(), Buffer.alloc(16));
  const bytes = (count: number): Buffer => noise.update(Buffer.alloc(count));
  await withPool(server, async (pool) => {
    await pool.request().batch(WIDE_TABLES);
    for (let copy = 1; copy <= copies; copy++) {
      await pool.request().input("copy", sql.Int, copy).query("INSERT INTO dbo.Copies ([Copy]) VALUES (@copy)");
    }
    for (let id = 1; id <= WIDE_ROWS; id++) {
      await pool
        .request()
        .input("id", sql.Int, id)
        .input("body", sql.VarBinary(sql.MAX), bytes(BODY_BYTES))
        .input("note", sql.NVarChar(sql.MAX), bytes((NOTE_CHARACTERS * 3) / 4).toString("base64url"))
        .query("INSERT INTO dbo.Wide ([Id], [Body], [Note]) VALUES (@id, @body, @note)");
    }
  });
}

/** Every wide row once for each copy. Neighbours differ, so that a compressor finds nothing to save. */
export const WIDE_SQL = "SELECT c.[Copy], w.[Id], w.[Body], w.[Note] FROM dbo.Copies c CROSS JOIN dbo.Wide w";

/** How many copies make so many bytes, and how many rows these are. */
export function wideSize(bytes: number): { readonly copies: number; readonly rows: number } {
  const copies = Math.ceil(bytes / (WIDE_ROWS * WIDE_ROW_BYTES));
  return { copies, rows: copies * WIDE_ROWS };
}

async function withPool(server: SampleServer, work: (pool: sql.ConnectionPool) => Promise<void>): Promise<void> {
  const pool = await new sql.ConnectionPool({
    server: server.host,
    port: server.port,
    database: server.database,
    user: server.user,
    password: server.password,
    options: { encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: { ca: server.ca } },
    requestTimeout: 120_000,
    pool: { max: 1 },
  }).connect();
  try {
    await work(pool);
  } finally {
    await pool.close();
  }
}

const name = (value: number): string => (value % 2 ** 30).toString(36).padStart(6, "0").toUpperCase();

/** mulberry32: 32-bit numbers from a seed. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
