/**
 * What each mode of `sql.table` guarantees (docs/connectors/mssql.md, "Reading"), held against random inserts, updates,
 * deletes, other keys, open transactions, and sessions that die at any row.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { JsonValue } from "@sallyport/shared/rows/to-json.ts";
import type { SqlTable } from "@sallyport/shared/schema/operations.ts";
import fc from "fast-check";
import { runPull, sorted } from "./test-run.ts";
import { startTestServer, type TestServer } from "./test-server.ts";
import { type Act, act, createWriter, type Rows } from "./test-writer.ts";

let server: TestServer;
let tables = 0;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

const RUNS = { numRuns: 15 };
const deaths = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 3 });
const acts = fc.array(act, { maxLength: 10 });
const some = fc.array(act, { minLength: 1, maxLength: 4 });

const make = async (columns: string): Promise<string> => {
  const name = `dbo.G${++tables}`;
  await server.admin(`CREATE TABLE ${name} (${columns})`);
  return name;
};
const whole = (table: string, more: Partial<SqlTable> = {}): SqlTable => ({
  ...{ op: "sql.table", table, columns: ["Id", "N"], watermark: "none" },
  ...more,
});
/** A writer that remembers every state of the table that was committed. */
function watched(table: string) {
  const history: Rows[] = [new Map()];
  const writer = createWriter(server, table, async (rows) => void history.push(rows));
  const all = async (list: readonly Act[]): Promise<void> => {
    for (const each of list) await writer.act(each);
  };
  return { writer, history, all };
}
const snapshotsBegun = (): number =>
  server.server.log.filter(
    (entry) => entry.kind === "transaction" && entry.act === "begin" && entry.isolation === "SNAPSHOT",
  ).length;
const pairs = (rows: readonly (readonly JsonValue[])[]): [number, number][] =>
  rows.map(([id, n]) => [Number(id), Number(n)]);

test("sessions do die where these tests let them, and each run comes to its end", async () => {
  const table = await make("Id int NOT NULL PRIMARY KEY, N int NOT NULL, V rowversion NOT NULL");
  await server.admin(`INSERT INTO ${table} (Id, N) VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)`);
  const modes: readonly Partial<SqlTable>[] = [
    {},
    { consistency: "snapshot" },
    { watermark: "rowversion" },
    { watermark: "column", watermarkColumn: "N" },
  ];
  for (const mode of modes) {
    const { rows, sessions } = await runPull(server, whole(table, mode), { deaths: [0, 1, 2] });
    assert.deepEqual([sessions, sorted(rows).map(([id]) => id)], [4, [1, 2, 3, 4, 5]], JSON.stringify(mode));
  }
});

test("one session in a snapshot: exactly the rows of one instant, each once", async () => {
  await fc.assert(
    fc.asyncProperty(acts, some, deaths, fc.boolean(), async (first, meanwhile, dying, keyed) => {
      const table = await make(`Id int NOT NULL${keyed ? " PRIMARY KEY" : ""}, N int NOT NULL`);
      const { writer, history, all } = watched(table);
      await all(first);
      const options = { deaths: dying, meanwhile: () => all(meanwhile) };
      const begun = snapshotsBegun();
      const { rows, plan, sessions } = await runPull(server, whole(table, { consistency: "snapshot" }), options);
      // The emulator reads one instant in any statement; the real one does so in a snapshot only.
      assert.equal(snapshotsBegun() - begun, sessions);
      assert.deepEqual([plan.isolation, plan.consistency], ["snapshot", "exact"]);
      const read = JSON.stringify(sorted(rows));
      assert.ok(
        history.some((state) => JSON.stringify(sorted(state)) === read),
        `${read} was never the table`,
      );
      await writer.settle();
    }),
    RUNS,
  );
});

test("key slices: each row that kept its key for the whole run comes once, as it was at some moment of it", async () => {
  await fc.assert(
    fc.asyncProperty(acts, some, deaths, async (first, meanwhile, dying) => {
      const table = await make("Id int NOT NULL PRIMARY KEY, N int NOT NULL");
      const { writer, history, all } = watched(table);
      await all(first);
      const began = history.length - 1;
      const { rows } = await runPull(server, whole(table), {
        deaths: dying,
        meanwhile: () => all(meanwhile),
      });
      const states = history.slice(began);
      const read = pairs(rows);
      for (const id of states[0]!.keys()) {
        if (!states.every((state) => state.has(id))) continue;
        const found = read.filter(([key]) => key === id);
        assert.equal(found.length, 1, `row ${id} came ${found.length} times`);
      }
      for (const [id, n] of read) {
        assert.ok(
          states.some((state) => state.get(id) === n),
          `(${id}, ${n}) was never committed`,
        );
      }
      assert.equal(new Set(read.map(([id]) => id)).size, read.length, "no key comes twice");
      await writer.settle();
    }),
    RUNS,
  );
});

test("rowversion: no version twice, and after a quiet run the fold is the table and what was deleted", async () => {
  const round = fc.tuple(acts, some, deaths);
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const table = await make("Id int NOT NULL PRIMARY KEY, N int NOT NULL, V rowversion NOT NULL");
      const { writer, history, all } = watched(table);
      const operation: SqlTable = { ...whole(table), columns: "*", watermark: "rowversion" };
      const folded = new Map<number, number>();
      const seen = new Set<string>();
      let from: string | undefined;
      const run = async (dying: readonly number[], meanwhile: readonly Act[]): Promise<void> => {
        const { rows, plan } = await runPull(server, operation, {
          from,
          deaths: dying,
          meanwhile: () => all(meanwhile),
        });
        for (const [id, n, version] of rows) {
          const name = `${id}/${version}`;
          assert.ok(!seen.has(name), `${name} came twice`);
          seen.add(name);
          folded.set(Number(id), Number(n));
        }
        from = plan.to!;
      };
      for (const [before, meanwhile, dying] of rounds) {
        await all(before);
        await run(dying, meanwhile);
      }
      await writer.settle();
      await run([], []);
      const ever = new Set(history.flatMap((state) => [...state.keys()]));
      for (const [id, n] of folded) {
        const now = writer.committed.get(id);
        if (now === undefined) assert.ok(ever.has(id), `${id} was never there`);
        else assert.equal(n, now);
      }
      for (const id of writer.committed.keys()) assert.ok(folded.has(id), `${id} is missing`);
    }),
    RUNS,
  );
});

test("column: each row whose value was committed when the run began, once in all runs", async () => {
  const step = fc.record({ grow: fc.integer({ min: 0, max: 2 }), late: fc.boolean(), deaths });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 5 }), async (steps) => {
      const table = await make("Id int NOT NULL PRIMARY KEY, N int NOT NULL, Seq int NOT NULL");
      const operation: SqlTable = {
        ...whole(table),
        watermark: "column",
        watermarkColumn: "Seq",
        columns: ["Id", "Seq"],
      };
      const seen: number[] = [];
      /** What was committed with a value beyond the last bound when a run began. */
      const due = new Set<number>();
      let from: string | undefined;
      let bound = 0;
      let id = 0;
      let top = 0;
      const insert = async (seq: number): Promise<number> => {
        id++;
        await server.writer.run(`INSERT INTO ${table} VALUES (${id}, 0, ${seq})`);
        return id;
      };
      for (const { grow, late, deaths: dying } of steps) {
        // Equal values, and sometimes one that comes too late to be seen.
        for (let n = 0; n < grow * 3; n++) {
          if (n % 3 === 0) top++;
          due.add(await insert(top));
        }
        if (late && bound > 0) await insert(bound);
        const meanwhile = async (): Promise<void> => void (await insert(top + 1).then((made) => due.add(made)));
        const { rows, plan } = await runPull(server, operation, { from, deaths: dying, meanwhile });
        seen.push(...rows.map(([row]) => Number(row)));
        from = plan.to ?? undefined;
        bound = from === undefined ? 0 : Number((JSON.parse(from) as string[])[0]);
        top = Math.max(top, bound);
        if (rows.length > 0) top = Math.max(top, bound + 1);
      }
      seen.push(...(await runPull(server, operation, { from })).rows.map(([row]) => Number(row)));
      assert.deepEqual(
        [...seen].sort((a, b) => a - b),
        [...due].sort((a, b) => a - b),
      );
    }),
    RUNS,
  );
});

test("an open transaction that holds the bound back is a warning, with its session where the login may look", async () => {
  const table = await make("Id int NOT NULL PRIMARY KEY, N int NOT NULL, V rowversion NOT NULL");
  const operation: SqlTable = { ...whole(table), watermark: "rowversion" };
  await server.admin(`INSERT INTO ${table} (Id, N) VALUES (1, 1)`);
  const first = await runPull(server, operation);
  assert.deepEqual([first.rows, first.warnings], [[[1, 1]], []]);
  const from = first.plan.to!;
  await server.writer.run(`BEGIN TRANSACTION; INSERT INTO ${table} (Id, N) VALUES (2, 2)`);
  const blind = await runPull(server, operation, { from });
  assert.deepEqual([blind.rows, blind.plan.to], [[], from]);
  assert.deepEqual(blind.warnings, [{ code: "sql.open_transaction", facts: {} }]);
  await server.admin("GRANT VIEW DATABASE STATE TO svc_sallyport");
  const [warning] = (await runPull(server, operation, { from })).warnings;
  assert.equal(warning?.code, "sql.open_transaction");
  assert.ok(Number(warning.facts.session) > 50);
  assert.ok(Number(warning.facts.seconds) >= 0);
  await server.writer.run("COMMIT");
  const last = await runPull(server, operation, { from });
  assert.deepEqual([last.rows, last.warnings], [[[2, 2]], []]);
});

test("a snapshot has no watermark", async () => {
  const table = await make("Id int NOT NULL PRIMARY KEY, N int NOT NULL, V rowversion NOT NULL");
  const operation = whole(table, { consistency: "snapshot", watermark: "rowversion" });
  await assert.rejects(runPull(server, operation), { code: "request.invalid" });
});
