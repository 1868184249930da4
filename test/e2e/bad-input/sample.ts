/** Tables and a policy with a trap each. */
import sql from "mssql";
import type { SampleServer } from "../../stack/sample.ts";
import { CONNECTION, READER } from "../../stack/start.ts";

/** Claims of a run before it fails: with a first pause of a second, some seconds pass. */
export const CLAIMS = 4;
/** Rows of `dbo.Late`; the last one is in the year 9999. */
export const LATE_ROWS = 50_000;

const TABLES = `
  CREATE TABLE dbo.Small (Id int NOT NULL PRIMARY KEY, Name nvarchar(20) NULL);
  INSERT INTO dbo.Small VALUES (1, N'one'), (2, NULL), (3, N'three');
  CREATE TABLE dbo.Secret (Id int NOT NULL PRIMARY KEY);
  CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Country nvarchar(2) NOT NULL, Iban nvarchar(34) NOT NULL);
  CREATE TABLE dbo.Heap (A int NULL, Version rowversion NOT NULL);
  INSERT INTO dbo.Heap (A) VALUES (1);
  CREATE TABLE dbo.Early (Id int NOT NULL PRIMARY KEY, Since datetime2(7) NOT NULL);
  INSERT INTO dbo.Early VALUES (1, '1600-02-29T00:00:00');
  CREATE TABLE dbo.Late (Id int NOT NULL PRIMARY KEY, Text nvarchar(40) NOT NULL, Until datetime2(7) NOT NULL);`;

export async function fillTraps(server: SampleServer): Promise<void> {
  const pool = await new sql.ConnectionPool({
    server: server.host,
    port: server.port,
    database: server.database,
    user: server.user,
    password: server.password,
    options: { encrypt: true, trustServerCertificate: false, cryptoCredentialsDetails: { ca: server.ca } },
    pool: { max: 1 },
  }).connect();
  try {
    await pool.request().batch(TABLES);
    const late = new sql.Table("dbo.Late");
    late.create = false;
    late.columns.add("Id", sql.Int, { nullable: false });
    late.columns.add("Text", sql.NVarChar(40), { nullable: false });
    late.columns.add("Until", sql.DateTime2(7), { nullable: false });
    const until = new Date("2026-01-01T00:00:00Z");
    for (let id = 1; id < LATE_ROWS; id++) late.rows.add(id, `${id * 7919} ${id * 104_729}`, until);
    await pool.request().bulk(late);
    await pool.request().batch(`INSERT INTO dbo.Late VALUES (${LATE_ROWS}, N'last', '9999-12-31T23:59:59.9999999')`);
  } finally {
    await pool.close();
  }
}

/** A login of one connection only: what fails there is counted for no other. The server has none of this name. */
export const GUESSED = "svc_payroll";

export interface Places {
  /** Through which SQL Server is reached by all but `direct`. */
  readonly doorPort: number;
  readonly caFile: string;
  /** An authority that did not issue the server's certificate. */
  readonly foreignCaFile: string;
}

export function trapPolicy({ port, database }: SampleServer, { doorPort, caFile, foreignCaFile }: Places): string {
  const connection = (name: string, rules: string, { at = doorPort, ca = caFile, login = READER } = {}) => `  ${name}:
    kind: mssql
    address: localhost:${at}
    database: ${database}
    tls: { mode: required, ca: ${JSON.stringify(ca)} }
    logins: [${login}]
    rules:
${rules}`;
  const table = (id: string, tables: string, columns: string) =>
    `      - { id: ${id}, allow: [table], tables: [${tables}], columns: ${columns} }\n`;
  const small = (name: string) => table(`${name}-tables`, "dbo.Small", '"*"');
  return `v: 1
limits: { sessionsPerMinute: 1000 }
connections:
${connection(
  CONNECTION,
  table("tables", "dbo.Small, dbo.Heap, dbo.Early, dbo.Late, dbo.Gone", '"*"') +
    table("people", "dbo.People", "[Id, Country]") +
    table("salaries", "hr.Salaries", '"*"') +
    `      - { id: never-hr, deny: all, tables: ["hr.*"] }\n`,
)}${connection("guarded", small("guarded"))}${connection("payroll", small("payroll"), { login: GUESSED })}${connection(
  "foreign",
  small("foreign"),
  { ca: foreignCaFile },
)}${connection("direct", small("direct"), { at: port })}`;
}
