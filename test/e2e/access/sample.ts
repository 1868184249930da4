/** Tables for requests by hand, and what their owner allows. */
import sql from "mssql";
import { connectionConfig, type SampleServer } from "../../stack/sample.ts";
import { CONNECTION, READER } from "../../stack/start.ts";

/** Rows of `dbo.Wide`: more than 1 MiB as JSON. */
export const WIDE_ROWS = 3_000;

const TABLES = `
  CREATE TABLE dbo.Small (Id bigint NOT NULL PRIMARY KEY, Amount decimal(38,10) NULL, At datetime2(7) NULL, Raw varbinary(20) NULL, Name nvarchar(40) NULL);
  INSERT INTO dbo.Small VALUES
    (9007199254740993, 12345678901234567890.0123456789, '2024-02-29T23:59:59.9999999', 0x00FF, N'line
break, "quoted"'),
    (2, NULL, NULL, NULL, NULL);
  CREATE TABLE dbo.Hidden (Id int NOT NULL PRIMARY KEY, Salary int NOT NULL);
  CREATE TABLE dbo.Wide (Id int NOT NULL PRIMARY KEY, Text nvarchar(400) NOT NULL);
  CREATE TABLE dbo.Written (Id int NOT NULL PRIMARY KEY, Amount decimal(18,4) NULL, Raw varbinary(20) NULL, Name nvarchar(40) NULL);`;

async function withPool<T>(server: SampleServer, work: (pool: sql.ConnectionPool) => Promise<T>): Promise<T> {
  const pool = await new sql.ConnectionPool(connectionConfig(server)).connect();
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}

export const fillRequests = (server: SampleServer): Promise<void> =>
  withPool(server, async (pool) => {
    await pool.request().batch(TABLES);
    const wide = new sql.Table("dbo.Wide");
    wide.create = false;
    wide.columns.add("Id", sql.Int, { nullable: false });
    wide.columns.add("Text", sql.NVarChar(400), { nullable: false });
    for (let id = 0; id < WIDE_ROWS; id++) wide.rows.add(id, `${id} ${"x".repeat(390)}`);
    await pool.request().bulk(wide);
  });

/** Rows of `dbo.Written`, in the order of their ids. */
export const written = (server: SampleServer): Promise<readonly Record<string, unknown>[]> =>
  withPool(server, async (pool) => (await pool.request().query("SELECT * FROM dbo.Written ORDER BY Id")).recordset);

export const requestPolicy = ({ host, port, database, user }: SampleServer, caFile: string): string => {
  const at = (to: string) => `    kind: mssql
    address: ${to}
    database: ${database}
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    refuseOverPrivileged: false`;
  return `v: 1
limits: { sessionsPerMinute: 1000 }
connections:
  ${CONNECTION}:
${at(`${host}:${port}`)}
    logins: [${READER}]
    rules:
      - { id: tables, allow: [table, schema], tables: [dbo.Small, dbo.Wide, dbo.Flights], columns: "*" }
      - { id: pay, allow: [table], tables: [dbo.Paid], columns: [Id] }
  writer:
${at(`${host}:${port}`)}
    logins: [${user}]
    rules:
      - id: written
        allow: [insert]
        tables: [dbo.Written]
        columns: [Id, Amount, Raw, Name]
        key: [Id]
        limits: { rowsPerRequest: 100 }
  nowhere-to-be-found:
${at("localhost:1")}
    logins: [${READER}]
    rules:
      - { id: none, allow: [schema], tables: [dbo.Small] }
`;
};
