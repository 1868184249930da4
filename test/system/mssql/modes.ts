/** Each way to find what is new, with writes between and beside its runs. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Operation } from "@sallyport/shared/schema/operations.ts";
import { type Case, ids, read, refused, table } from "./case.ts";
import type { Server } from "./server.ts";

const whole = (name: string, more: object = {}): Operation =>
  ({ op: "sql.table", table: name, columns: "*", watermark: "none", ...more }) as Operation;
const changes = (name: string, by: "changeTracking" | "cdc", more: object = {}): Operation =>
  ({ op: "sql.changes", table: name, columns: "*", by, ...more }) as Operation;

async function tracked(server: Server) {
  const made = await table(server, "Id int NOT NULL PRIMARY KEY, N int NOT NULL");
  await server.run(`ALTER TABLE ${made.sql} ENABLE CHANGE_TRACKING; INSERT INTO ${made.sql} VALUES (1, 1), (2, 2)`);
  return made;
}

const CAPTURE_MS = 60_000;
const LOOK_EVERY_MS = 500;

/** Waits until the capture job has read what was committed. The emulator needs no wait. */
async function captured(server: Server, changeTable: string, rows: number): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const [count] = await server.run(`SELECT COUNT(*) AS n FROM [cdc].[${changeTable}]`);
    if (Number(count?.n) >= rows) return;
    if (waitedMs >= CAPTURE_MS)
      throw new Error("The capture job did not read the log within a minute: is SQL Server Agent running?");
    await pause(LOOK_EVERY_MS);
  }
}

export const modes: readonly Case[] = [
  {
    of: "none, in a snapshot",
    name: "rows of one instant, though others write",
    needs: ["snapshot"],
    async run(server) {
      const { name, sql } = await table(server, "Id int NOT NULL, N int NOT NULL");
      await server.run(`INSERT INTO ${sql} VALUES (1, 1), (2, 2)`);
      const meanwhile = () => server.run(`INSERT INTO ${sql} VALUES (3, 3); DELETE FROM ${sql} WHERE Id = 1`);
      const output = await read(server, whole(name, { consistency: "snapshot" }), { meanwhile });
      assert.deepEqual(ids(output).sort(), [1, 2]);
      assert.deepEqual([output.plan?.isolation, output.plan?.consistency], ["snapshot", "exact"]);
    },
  },
  {
    of: "rowversion",
    name: "up to what every open transaction lies above",
    async run(server) {
      const { name, sql } = await table(server, "Id int NOT NULL PRIMARY KEY, N int NOT NULL, V rowversion NOT NULL");
      await server.run(`INSERT INTO ${sql} (Id, N) VALUES (1, 1), (2, 2)`);
      const first = await read(server, whole(name, { watermark: "rowversion" }), { sliceRows: 1 });
      assert.deepEqual(ids(first), [1, 2]);
      const from = first.plan?.to;
      const other = await server.other();
      await other.run(`BEGIN TRANSACTION; UPDATE ${sql} SET N = 10 WHERE Id = 1`);
      const held = await read(server, whole(name, { watermark: "rowversion", columns: ["Id"], from }));
      assert.deepEqual(ids(held), []);
      assert.equal(held.outcome.warnings?.[0]?.code, "sql.open_transaction");
      await other.run("COMMIT");
      other.close();
      const next = await read(server, whole(name, { watermark: "rowversion", from: held.plan?.to }));
      assert.deepEqual(ids(next), [1]);
      await refused("sql.watermark_lost", read(server, whole(name, { watermark: "rowversion", from: "f".repeat(16) })));
    },
  },
  ...(["int", "decimal(10,2)", "datetime2(7)", "datetimeoffset(3)"] as const).map(
    (type): Case => ({
      of: "column",
      name: `by a column of type ${type}`,
      async run(server) {
        const value = (n: number): string =>
          type.startsWith("date") ? `CAST('2020-01-0${n}T00:00:00' AS ${type})` : `CAST(${n} AS ${type})`;
        const { name, sql } = await table(server, `Id int NOT NULL PRIMARY KEY, C ${type} NOT NULL`);
        await server.run(`INSERT INTO ${sql} VALUES (1, ${value(1)}), (2, ${value(2)}), (3, ${value(2)})`);
        const mode = { watermark: "column", watermarkColumn: "C" };
        const first = await read(server, whole(name, mode));
        assert.deepEqual(ids(first), [1, 2, 3]);
        await server.run(`INSERT INTO ${sql} VALUES (4, ${value(2)}), (5, ${value(3)})`);
        const next = await read(server, whole(name, { ...mode, from: first.plan?.to }));
        assert.deepEqual(ids(next), [5], "an older value is not seen");
      },
    }),
  ),
  {
    of: "changeTracking",
    name: "first all, then net changes with deletes; the fold is the table",
    needs: ["changeTracking", "snapshot"],
    async run(server) {
      const { name, sql } = await tracked(server);
      const first = await read(server, changes(name, "changeTracking"));
      assert.deepEqual(first.rows, [
        ["insert", 1, 1],
        ["insert", 2, 2],
      ]);
      const from = first.plan?.to;
      await server.run(`INSERT INTO ${sql} VALUES (3, 3), (4, 4); UPDATE ${sql} SET N = 10 WHERE Id = 1`);
      await server.run(
        `DELETE FROM ${sql} WHERE Id = 2; DELETE FROM ${sql} WHERE Id = 4; UPDATE ${sql} SET Id = 5 WHERE Id = 3`,
      );
      const meanwhile = () => server.run(`INSERT INTO ${sql} VALUES (6, 6)`);
      const next = await read(server, changes(name, "changeTracking", { from }), { meanwhile });
      const folded = new Map([
        [1, 1],
        [2, 2],
      ]);
      for (const [op, id, n] of next.rows) {
        if (op === "delete") folded.delete(Number(id));
        else folded.set(Number(id), Number(n));
      }
      assert.deepEqual([...folded].sort(), [
        [1, 10],
        [5, 3],
      ]);
      const last = await read(server, changes(name, "changeTracking", { from: next.plan?.to }));
      assert.deepEqual(last.rows, [["insert", 6, 6]]);
    },
  },
  {
    of: "changeTracking",
    name: "a lost watermark, and a table that is not tracked",
    needs: ["changeTracking", "snapshot"],
    async run(server) {
      const { name, sql } = await tracked(server);
      const { plan } = await read(server, changes(name, "changeTracking"));
      await server.run(`TRUNCATE TABLE ${sql}`);
      await refused("sql.watermark_lost", read(server, changes(name, "changeTracking", { from: plan?.to })));
      const plain = await table(server, "Id int NOT NULL PRIMARY KEY");
      await refused("sql.not_tracked", read(server, changes(plain.name, "changeTracking")));
    },
  },
  {
    of: "changeTracking",
    name: "convergent: without a snapshot",
    needs: ["changeTracking"],
    async run(server) {
      const { name, sql } = await tracked(server);
      const { plan } = await read(server, changes(name, "changeTracking"));
      await server.run(`DELETE FROM ${sql} WHERE Id = 1`);
      const next = await read(server, changes(name, "changeTracking", { from: plan?.to, consistency: "convergent" }));
      assert.deepEqual(next.rows, [["delete", 1, null]]);
      assert.equal(next.plan?.consistency, "fuzzy");
    },
  },
  {
    of: "cdc",
    name: "first all, then every change in the order of commits",
    needs: ["cdc"],
    async run(server) {
      const { name, sql } = await table(server, "Id int NOT NULL PRIMARY KEY, N int NOT NULL");
      const [schema, own] = name.split(".");
      await server.run(`INSERT INTO ${sql} VALUES (1, 1)`);
      await server.run(
        `EXEC sys.sp_cdc_enable_table @source_schema = N'${schema}', @source_name = N'${own}', @role_name = NULL, @capture_instance = N'${schema}_${own}'`,
      );
      const first = await read(server, changes(name, "cdc"));
      assert.deepEqual(first.rows, [["insert", 1, 1]]);
      await server.run(
        `BEGIN TRANSACTION; INSERT INTO ${sql} VALUES (2, 2); UPDATE ${sql} SET N = 20 WHERE Id = 2; COMMIT`,
      );
      await server.run(`DELETE FROM ${sql} WHERE Id = 1`);
      await captured(server, `${schema}_${own}_CT`, 4);
      const next = await read(server, changes(name, "cdc", { from: first.plan?.to }), { sliceRows: 1 });
      assert.deepEqual(next.rows, [
        ["insert", 2, 2],
        ["before", 2, 2],
        ["update", 2, 20],
        ["delete", 1, 1],
      ]);
      assert.deepEqual(
        next.checkpoints.map(({ rows }) => rows),
        [3, 4],
        "a checkpoint never lies inside a transaction",
      );
    },
  },
];
