/** What the catalog says of columns and tables beyond their types, and what is made of it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlChanges } from "@sallyport/shared/schema/operations.ts";
import type { Grant } from "../connector.ts";
import { arrowColumn, resolveTable } from "./catalog.ts";
import { withSession } from "./connect.ts";
import { DEFAULT_PACE } from "./flow.ts";
import { readSlices } from "./slices.ts";
import { createRecorder } from "./test-output.ts";
import { GRANT, LIMITS, readTable, serve, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin("ALTER DATABASE ERP SET CHANGE_TRACKING = ON; EXEC sys.sp_cdc_enable_db");
  for (const table of ["Aliases", "Masked", "Growing", "Sealed", "Salaries", "SalariesHistory", "Memory", "Slices"]) {
    await server.admin(`CREATE TABLE dbo.${table} (Id int NOT NULL PRIMARY KEY, Code varchar(10) NOT NULL, N int NOT NULL);
      INSERT INTO dbo.${table} VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30), (4, 'd', 40)`);
  }
  await server.admin("ALTER TABLE dbo.Masked ENABLE CHANGE_TRACKING");
  await server.admin("GRANT VIEW CHANGE TRACKING ON dbo.Masked TO svc_sallyport");
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};
/** Says something of columns, as the catalog would. */
const say = (what: string, table: string, names: string): Promise<void> =>
  server.admin(`UPDATE sys.columns SET ${what} WHERE object_id = OBJECT_ID('dbo.${table}') AND name IN (${names})`);
const mask = (table: string, name: string): Promise<void> =>
  server.admin(`INSERT INTO sys.masked_columns SELECT object_id, name, column_id, 1, N'default()' FROM sys.columns
    WHERE object_id = OBJECT_ID('dbo.${table}') AND name = '${name}'`);

test("a column of a type that the login may not see stays, in `*` and in the schema", async () => {
  await say("user_type_id = 300", "Aliases", "'Code', 'Id'");
  const output = createRecorder();
  await readTable(server, "dbo.Aliases", output);
  assert.deepEqual(
    output.columns.map(({ name, source }) => [name, source]),
    [
      ["Id", "int"],
      ["Code", "varchar(10)"],
      ["N", "int"],
    ],
  );
  assert.deepEqual([output.rows[0], output.plan?.key], [[1, "a", 10], ["Id"]]);
  const shown = createRecorder();
  const grant: Grant = { kind: "schema", rule: "s", shown: [{ tables: ["dbo.Aliases"], columns: "*" }], hidden: [] };
  await serve(server, { op: "sql.schema" }, shown, { grant });
  const [{ tables }] = shown.results as [{ tables: { columns: { name: string; type: string }[] }[] }];
  assert.deepEqual(
    tables[0]?.columns.map(({ type }) => type),
    ["int", "varchar(10)", "int"],
  );
});

test("a type of an assembly that the login may not see is no type that is carried, and the column is named", async () => {
  await say("user_type_id = 300, system_type_id = 240", "Slices", "'Code'");
  await assert.rejects(readTable(server, "dbo.Slices", createRecorder()), isCode("value.not_exact"));
  await say("user_type_id = 167, system_type_id = 167", "Slices", "'Code'");
});

test("ciphertext of Always Encrypted is never read, and is of no key and no watermark", async () => {
  await say("encryption_type = 1", "Sealed", "'N'");
  const read = (operation: object) => readTable(server, "dbo.Sealed", createRecorder(), { operation });
  await assert.rejects(read({}), isCode("value.not_exact"));
  await assert.rejects(read({ watermark: "column", watermarkColumn: "N" }), isCode("request.invalid"));
  await read({ columns: ["Id", "Code"] });
  await say("encryption_type = 1", "Sealed", "'Id'");
  await assert.rejects(
    read({ columns: ["Code"], watermark: "column", watermarkColumn: "Id" }),
    isCode("request.invalid"),
  );
  const keyless = createRecorder();
  await readTable(server, "dbo.Sealed", keyless, { operation: { columns: ["Code"] } });
  assert.deepEqual(keyless.plan?.key, []);
});

test("what the server masks is told where it is read, and is refused as a key and as a watermark", async () => {
  await mask("Masked", "Code");
  await mask("Growing", "N");
  const read = (table: string, operation: object, target = {}) =>
    readTable(server, table, createRecorder(), { operation, target });
  const { warnings } = await read("dbo.Masked", {});
  assert.deepEqual(warnings, [{ code: "sql.masked_columns", facts: { columns: ["Code"] } }]);
  assert.equal((await read("dbo.Masked", { columns: ["Id", "N"] })).warnings, undefined);
  const changes: SqlChanges = { op: "sql.changes", table: "dbo.Masked", columns: "*", by: "changeTracking" };
  assert.deepEqual((await serve(server, changes, createRecorder())).warnings, warnings);
  await server.admin(
    "EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'Masked', @role_name = NULL",
  );
  assert.deepEqual((await serve(server, { ...changes, by: "cdc" }, createRecorder())).warnings, warnings);
  // Of what is not captured nothing is read, and nothing told.
  await server.admin(`EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'Masked', @role_name = NULL,
    @capture_instance = N'narrow', @captured_column_list = N'Id, N'`);
  const narrow: SqlChanges = { ...changes, by: "cdc", captureInstance: "narrow" };
  assert.equal((await serve(server, narrow, createRecorder())).warnings, undefined);
  const byN = { watermark: "column", watermarkColumn: "n" };
  await assert.rejects(read("dbo.Growing", byN), isCode("sql.permission"));
  // Who has UNMASK is given what is there.
  const admin = { credential: server.administrator, refuseOverPrivileged: false };
  assert.equal((await read("dbo.Growing", byN, admin)).warnings, undefined);
  await mask("Masked", "Id");
  for (const wish of [{}, { columns: ["N"] }, { consistency: "snapshot" }]) {
    await assert.rejects(read("dbo.Masked", wish), isCode("sql.permission"));
  }
  await assert.rejects(serve(server, changes, createRecorder()), isCode("sql.permission"));
  assert.equal((await read("dbo.Masked", {}, admin)).warnings, undefined);
});

test("the history of a temporal table is reached by its name, not by a pattern", async () => {
  await server.admin("UPDATE sys.tables SET temporal_type = 1 WHERE name = 'SalariesHistory'");
  const read = (grant: Grant) => readTable(server, "dbo.SalariesHistory", createRecorder(), { grant });
  await assert.rejects(read(GRANT), isCode("policy.denied"));
  await read({ kind: "table", rule: "r", columns: "*", named: true });
  const names = async (...tables: string[]): Promise<readonly string[]> => {
    const output = createRecorder();
    const grant: Grant = { kind: "schema", rule: "s", shown: [{ tables, columns: "*" }], hidden: ["dbo.Salaries"] };
    await serve(server, { op: "sql.schema" }, output, { grant });
    const [{ tables: shown }] = output.results as [{ tables: { name: string }[] }];
    return shown.map(({ name }) => name).filter((name) => name.startsWith("Salaries"));
  };
  assert.deepEqual(await names("dbo.*"), []);
  assert.deepEqual(await names("dbo.*", "dbo.SalariesHistory"), ["SalariesHistory"]);
});

test("no snapshot is asked for of a memory-optimized table", async () => {
  await server.admin("UPDATE sys.tables SET is_memory_optimized = 1 WHERE name = 'Memory'");
  const asked = { operation: { consistency: "snapshot" } } as const;
  await assert.rejects(readTable(server, "dbo.Memory", createRecorder(), asked), isCode("request.invalid"));
  await readTable(server, "dbo.Memory", createRecorder());
});

test("a key whose values are not those by which the server orders ends the read, which would have no end", async () => {
  const output = createRecorder();
  const { signal } = new AbortController();
  const reading = withSession(
    server.target,
    LIMITS.cellBytes,
    async (session) => {
      const found = await resolveTable(session, "dbo.Slices", { named: true }, signal);
      const key = { ...found.key[0]!, expression: "CAST(1 AS int)" };
      const batch = await output.schema([arrowColumn(key)], {
        to: null,
        key: ["Id"],
        isolation: "readCommitted",
        consistency: "fuzzy",
      });
      const read = { table: found, emitted: [key], unseen: [], order: [key], byRowversion: false };
      const pace = { ...DEFAULT_PACE, sliceRows: 1 };
      return readSlices({ session, limits: LIMITS, output, pace, signal, read, batch }, undefined);
    },
    signal,
  );
  await assert.rejects(reading, isCode("sql.failed"));
  assert.equal(output.rows.length, 2);
});
