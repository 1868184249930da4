/** `sql.table`, `sql.query`, `sql.schema`, and how the server's refusals come out. */
import assert from "node:assert/strict";
import type { Grant } from "@sallyport/agent/src/connectors/connector.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { sqlSchemaResult } from "@sallyport/shared/schema/sql-schema.ts";
import { type Case, ids, read, refused, table } from "./case.ts";

const statement = (sql: string, returns: string[], parameters: Record<string, string> = {}): Grant => ({
  ...{ kind: "statement", rule: "conformance", sql, returns, parameters },
});

export const operations: readonly Case[] = [
  {
    of: "sql.table",
    name: "key slices resume strictly after each checkpoint, by a key of two columns",
    async run(server) {
      const { name, sql } = await table(
        server,
        "A nvarchar(10) NOT NULL, B date NOT NULL, N int NOT NULL, PRIMARY KEY (A, B)",
      );
      const values = ["a", "b", "é"].flatMap((a, at) =>
        [1, 2, 3].map((day) => `(N'${a}', '2026-01-0${day}', ${at * 3 + day})`),
      );
      await server.run(`INSERT INTO ${sql} VALUES ${values.join(", ")}`);
      const operation = { op: "sql.table", table: name, columns: ["N"], watermark: "none" } as const;
      const whole = await read(server, { ...operation, columns: ["N"] }, { sliceRows: 2 });
      assert.equal(whole.rows.length, 9);
      for (const { position, rows } of whole.checkpoints) {
        const rest = await read(server, { ...operation, columns: ["N"], position, plan: whole.plan! });
        assert.deepEqual(rest.rows, whole.rows.slice(rows));
      }
    },
  },
  {
    of: "sql.table",
    name: "what is not there, and what may not be seen",
    needs: ["reader"],
    async run(server) {
      const ask = (name: string) => read(server, { op: "sql.table", table: name, columns: "*", watermark: "none" });
      await refused("sql.not_found", ask(`${server.schema}.Nothing`));
      const raw: Grant = { kind: "raw", rule: "conformance" };
      const hidden = read(
        server,
        { op: "sql.query", raw: "SELECT password_hash FROM sys.sql_logins", parameters: {} },
        { grant: raw },
      );
      await hidden.then(
        ({ rows }) =>
          assert.deepEqual(
            rows.filter(([hash]) => hash !== null),
            [],
          ),
        (error) => assert.ok(error instanceof SallyportError && /^sql\./.test(error.code), String(error)),
      );
    },
  },
  {
    of: "sql.table",
    name: "a view only where it is named",
    async run(server) {
      const { sql } = await table(server, "Id int NOT NULL PRIMARY KEY");
      await server.run(`INSERT INTO ${sql} VALUES (1)`);
      const view = `${server.schema}.Looking`;
      await server.run(`CREATE VIEW [${server.schema}].[Looking] AS SELECT Id FROM ${sql}`);
      const operation = { op: "sql.table", table: view, columns: "*", watermark: "none" } as const;
      await refused("policy.denied", read(server, operation));
      const grant: Grant = { kind: "table", rule: "r", columns: "*", named: true };
      assert.deepEqual((await read(server, operation, { grant })).rows, [[1]]);
    },
  },
  {
    of: "sql.table",
    name: "a cancelled request ends at the server",
    async run(server) {
      const { name, sql } = await table(server, "Id int NOT NULL PRIMARY KEY, N nvarchar(2000) NOT NULL");
      const rows = Array.from({ length: 500 }, (_, at) => `(${at}, REPLICATE(N'x', 2000))`);
      await server.run(`INSERT INTO ${sql} VALUES ${rows.join(", ")}`);
      for (const more of [500, 1000, 2000]) await server.run(`INSERT INTO ${sql} SELECT Id + ${more}, N FROM ${sql}`);
      const controller = new AbortController();
      const reason = new SallyportError("request.cancelled", "enough");
      const options = {
        signal: controller.signal,
        meanwhile: async () => controller.abort(reason),
        batchBytes: 65_536,
      };
      await refused(
        "request.cancelled",
        read(server, { op: "sql.table", table: name, columns: "*", watermark: "none" }, options),
      );
    },
  },
  {
    of: "sql.query",
    name: "a statement with parameters of its declared types, decimals exactly",
    async run(server) {
      const sql = "SELECT @amount AS Amount, @day AS Day, @text AS Text, @none AS None";
      const parameters = { amount: "decimal(38,10)", day: "date", text: "nvarchar(20)", none: "int" };
      const grant = statement(sql, ["Amount", "Day", "Text", "None"], parameters);
      const amount = "9999999999999999999999999999.9999999999";
      const given = { amount, day: "2026-11-20", text: "æøå", none: null };
      const { rows } = await read(server, { op: "sql.query", statement: "s", parameters: given }, { grant });
      assert.deepEqual(rows, [[amount, "2026-11-20", "æøå", null]]);
    },
  },
  {
    of: "sql.query",
    name: "other columns than the policy lists, a second result, bad T-SQL, a failing row",
    async run(server) {
      const ask = (sql: string, returns: string[]) =>
        read(server, { op: "sql.query", statement: "s", parameters: {} }, { grant: statement(sql, returns) });
      await refused("policy.denied", ask("SELECT 1 AS A, 2 AS B", ["A"]));
      await refused("request.invalid", ask("SELECT 1 AS A; SELECT 2 AS A", ["A"]));
      await refused("sql.syntax", ask("SELECT FROM", ["A"]));
      await refused("sql.failed", ask("SELECT 1 / (1 - 1) AS A", ["A"]));
    },
  },
  {
    of: "sql.schema",
    name: "tables with their columns, keys, indexes, row counts and watermarks",
    async run(server) {
      const { name, sql } = await table(
        server,
        "Id bigint NOT NULL PRIMARY KEY, Amount decimal(10,2) NULL, V rowversion NOT NULL",
      );
      await server.run(`INSERT INTO ${sql} (Id, Amount) VALUES (1, 1), (2, 2)`);
      const grant: Grant = {
        kind: "schema",
        rule: "r",
        shown: [{ tables: [`${server.schema}.*`], columns: "*" }],
        hidden: [],
      };
      const { results } = await read(server, { op: "sql.schema", table: name }, { grant });
      const { tables } = sqlSchemaResult.parse(results[0]);
      assert.equal(tables.length, 1);
      const [shown] = tables;
      assert.deepEqual(
        shown?.columns.map((column) => `${column.name} ${column.type}${column.nullable ? "" : " NOT NULL"}`),
        ["Id bigint NOT NULL", "Amount decimal(10,2)", "V rowversion NOT NULL"],
      );
      assert.deepEqual([shown?.rows, shown?.key, shown?.watermarks], [2, ["Id"], ["none", "rowversion", "column"]]);
      assert.deepEqual(
        shown?.indexes.map(({ primary, columns }) => ({ primary, columns })),
        [{ primary: true, columns: ["Id"] }],
      );
    },
  },
  {
    of: "signing in",
    name: "a wrong password, and a database that is not there",
    needs: ["reader"],
    async run(server) {
      const { name } = await table(server, "Id int NOT NULL PRIMARY KEY");
      const ask = (target: object) =>
        read(server, { op: "sql.table", table: name, columns: "*", watermark: "none" }, { target });
      const { credential } = server.target;
      await refused("connection.login_failed", ask({ credential: { ...credential, password: "Wrong-1" } }));
      await refused("connection.database", ask({ database: "sallyport_no_such_database" }));
      assert.deepEqual(ids(await ask({})), []);
    },
  },
];
