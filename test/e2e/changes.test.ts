/** Change Tracking and CDC through the whole embedded stack: what manifests fold to, over HTTP and from the files. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { manifest } from "@sallyport/shared/schema/pull.ts";
import sql from "mssql";
import { createCleanup } from "../stack/cleanup.ts";
import { fetchRun, runPull } from "../stack/pull.ts";
import { connectionConfig, fillSample } from "../stack/sample.ts";
import { CONNECTION, type Stack, startStack, TENANT } from "../stack/start.ts";

const FLIGHTS = 200;

interface Row {
  readonly _op: string;
  readonly Id: string;
  readonly Delay: number | null;
}

describe("changes, end to end", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-changes-"));
  let stack: Stack;
  let pool: sql.ConnectionPool;

  before(async () => {
    stack = await startStack({ folder, cleanup });
    cleanup.add(await fillSample(stack.source.server, FLIGHTS, () => undefined), (it) => it.close());
    pool = cleanup.add(await new sql.ConnectionPool(connectionConfig(stack.source.server)).connect(), (it) =>
      it.close(),
    );
    await pool.batch(`ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 1 DAYS); EXEC sys.sp_cdc_enable_db;
      ALTER TABLE dbo.Flights ENABLE CHANGE_TRACKING;
      EXEC sys.sp_cdc_enable_table @source_schema = N'dbo', @source_name = N'Flights', @role_name = NULL;
      GRANT VIEW CHANGE TRACKING TO [${stack.source.reader.user}]`);
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [watermark, at] of [
    ["changeTracking", 1],
    ["cdc", 11],
  ] as const) {
    it(`by ${watermark}: the manifests fold to the table, and a quiet run moves the watermark`, async () => {
      const operation = { op: "sql.changes", table: "dbo.Flights", columns: ["Id", "Delay"] };
      const definition = { connection: CONNECTION, operation, watermark, sink: { type: "blob", format: "ndjson" } };
      const id = watermark.toLowerCase();
      await stack.api.post(`/tenants/${TENANT}/pulls`, { id, definition });
      const folded = new Map<number, number | null>();
      const run = async () => {
        const ended = await runPull(stack.api, TENANT, id);
        assert.equal(ended.run.state, "published", JSON.stringify(ended.run.error));
        assert.deepEqual(ended.run.warnings, []);
        if (ended.run.seq === null) return { run: ended.run, consistency: undefined, operations: [] };
        const fetched = await fetchRun(stack.api, TENANT, ended, join(folder, "out"));
        const { consistency, key } = manifest.parse(JSON.parse(readFileSync(fetched.manifest ?? "", "utf8")));
        assert.deepEqual(key, ["Id"]);
        const lines = fetched.parts.flatMap((part) => readFileSync(part, "utf8").trimEnd().split("\n"));
        const rows = lines.map((line) => JSON.parse(line) as Row);
        for (const { _op, Id, Delay } of rows) {
          if (_op === "delete" || _op === "before") folded.delete(Number(Id));
          else folded.set(Number(Id), Delay);
        }
        return { run: ended.run, consistency, operations: rows.map(({ _op, Id }) => `${_op} ${Id}`).sort() };
      };
      const table = async () => {
        const { recordset } = await pool.query<{ Id: string; Delay: number }>(
          "SELECT Id, Delay FROM dbo.Flights ORDER BY Id",
        );
        return recordset.map(({ Id, Delay }) => [Number(Id), Delay]);
      };
      const sorted = () => [...folded].sort(([a], [b]) => a - b);

      const first = await run();
      assert.equal(first.consistency, "fuzzy");
      assert.deepEqual(sorted(), await table());
      await pool.batch(
        `UPDATE dbo.Flights SET Delay = Delay + 10 WHERE Id = ${at}; DELETE FROM dbo.Flights WHERE Id = ${at + 1}`,
      );
      await pool.batch(`UPDATE dbo.Flights SET Id = Id + 1000 WHERE Id = ${at + 2}`);
      const second = await run();
      assert.equal(second.consistency, "exact");
      assert.deepEqual(sorted(), await table());
      assert.equal(second.operations.length, watermark === "cdc" ? 5 : 4);
      await pool.batch(`UPDATE dbo.Flights SET Id = Id - 1000 WHERE Id = ${at + 1002}`);
      await run();
      assert.deepEqual(sorted(), await table());
      const quiet = await run();
      assert.deepEqual([quiet.run.rows, quiet.run.seq], [0, null]);
      assert.notEqual(quiet.run.to, quiet.run.from);
    });
  }
});
