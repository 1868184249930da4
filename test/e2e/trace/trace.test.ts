/**
 * One pull's trace, from the schedule to the SQL call, as a collector gets it from the running system. Random marks stand in
 * everything that telemetry must not say: rows, parameters, filters, statements, credentials. None of them arrives.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TableClient } from "@azure/data-tables";
import { openStore } from "@sallyport/cloud/src/store/open.ts";
import { replaceCursor } from "@sallyport/cloud/src/store/runs.ts";
import { commit } from "@sallyport/cloud/src/store/tables.ts";
import { runTrace } from "@sallyport/cloud/src/telemetry/run-trace.ts";
import { SPANS } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import type { HealthDetails } from "@sallyport/shared/schema/health.ts";
import sql from "mssql";
import { createCleanup } from "../../stack/cleanup.ts";
import { call } from "../../stack/https.ts";
import { bundledIn } from "../../stack/program.ts";
import { runPull } from "../../stack/pull.ts";
import { connectionConfig, type SampleServer } from "../../stack/sample.ts";
import { CONNECTION, READER, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { type CollectedSpan, type Collector, startCollector } from "./collector.ts";
import { pathsOf, printed, treeOf } from "./tree.ts";

const ROWS = 20_000;
/** Each is drawn, and stands in one place only. */
const drawMark = (place: string): string => `mark-${place}-${randomBytes(9).toString("hex")}`;
const MARKS = {
  row: drawMark("row"),
  filter: drawMark("filter"),
  parameter: drawMark("parameter"),
  statement: drawMark("statement"),
  table: drawMark("table").replaceAll("-", ""),
  user: drawMark("user"),
  password: drawMark("password"),
};
const PULLS = `/tenants/${TENANT}/pulls`;

const policyOf = ({ host, port, database }: SampleServer, caFile: string): string => `v: 1
connections:
  ${CONNECTION}:
    kind: mssql
    address: ${host}:${port}
    database: ${database}
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${READER}, ${MARKS.user}]
    rules:
      - { id: marked, allow: [table], tables: [dbo.Marked], columns: "*" }
      - id: by-note
        allow: [statement]
        name: byNote
        sql: SELECT Id, Note FROM dbo.Marked WHERE Note <> N'${MARKS.statement}' AND Note <> @note
        parameters: { note: nvarchar(100) }
        returns: [Id, Note]
      - id: broken
        allow: [statement]
        name: broken
        sql: SELECT Id FROM dbo.${MARKS.table} WHERE Id = @note
        parameters: { note: nvarchar(100) }
        returns: [Id]
`;

describe("a pull's trace", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-trace-"));
  let stack: Stack;
  let collector: Collector;

  before(async () => {
    collector = await startCollector();
    const settings = {
      SALLYPORT_TELEMETRY: "otlp",
      SALLYPORT_TELEMETRY_ENDPOINT: collector.url,
      SALLYPORT_SLICE_SECONDS: "0.1",
    };
    // From the bundles, where OpenTelemetry is a file of its own that the app finds beside itself.
    const program = await bundledIn(join(folder, "bundles"));
    stack = await startStack({ folder, cleanup, settings, program, policy: policyOf });
    await fill(stack.source.server);
    await define("marked", { op: "sql.table", table: "dbo.Marked", columns: "*" }, { schedule: { cron: "0 2 * * *" } });
    const filter = [{ column: "Note", is: "notEqual", value: MARKS.filter }];
    await define("filtered", { op: "sql.table", table: "dbo.Marked", columns: ["Id", "Note"], filter });
    const parameters = { note: MARKS.parameter };
    await define("by-note", { op: "sql.query", statement: "byNote", parameters });
    await define("broken", { op: "sql.query", statement: "broken", parameters });
    await define("denied", { op: "sql.table", table: `dbo.${MARKS.table}`, columns: "*" });
  });
  after(async () => {
    await cleanup.run();
    await collector.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const define = (id: string, operation: unknown, more = {}) =>
    stack.api.post(PULLS, { id, definition: { connection: CONNECTION, operation, watermark: "none", ...more } });

  /** The spans of a run, once its last one has arrived. */
  const traceOf = async ({ id, pull }: { readonly id: string; readonly pull: string }): Promise<CollectedSpan[]> => {
    const { traceId } = runTrace({ tenant: TENANT, pull, run: id.slice(id.indexOf(".") + 1) });
    const own = (spans: readonly CollectedSpan[]) => spans.filter((span) => span.traceId === traceId);
    // The function's own span ends last, after it has published what it decided.
    await collector.until((spans) => {
      const names = new Set(own(spans).map(({ name }) => name));
      return names.has("publish") && names.has("slices");
    });
    return own(collector.spans);
  };

  it("goes from the schedule through function and relay to the agent's session and the SQL call", async (t) => {
    const run = await runByTheSchedule(stack, "marked");
    assert.deepEqual([run.state, run.rows], ["published", ROWS], JSON.stringify(run.error));
    const spans = await traceOf(run);
    const roots = treeOf(spans);
    t.diagnostic(`the trace of a pull of ${ROWS} rows: begins after, takes, what\n${printed(roots)}`);
    assert.equal(roots.length, 1, "one tree");
    const paths = new Set(pathsOf(roots));
    const session = "schedule > slices > session";
    for (const path of [
      "schedule",
      `${session} > relay`,
      `${session} > hello`,
      `${session} > request > agent > policy`,
      `${session} > request > agent > connect`,
      `${session} > request > agent > login`,
      `${session} > request > agent > sql`,
      "schedule > slices > decide",
      "schedule > publish",
    ])
      assert.ok(paths.has(path), `${path} is not in\n${[...paths].join("\n")}`);
    // Those on the way are the request's own work, the last one that of the function.
    const commits = [...paths].filter((path) => path.endsWith("commit"));
    assert.ok(commits.length > 0);
    for (const path of commits) assert.match(path, /^schedule > slices( > session > request)? > commit$/);
    assertInside(spans);
  });

  it("of runs that fail names the step and the code", async () => {
    for (const [pull, step, code] of [
      ["broken", "sql", "sql.object"],
      ["denied", "policy", "policy.denied"],
    ] as const) {
      const { run } = await runPull(stack.api, TENANT, pull);
      assert.equal(run.state, "failed");
      const failed = (await traceOf(run)).filter(({ status }) => status.code === 2);
      const codes = new Map(failed.map(({ name, status }) => [name, status.message]));
      assert.equal(codes.get(step), run.error?.code, `${pull}: ${code}`);
    }
  });

  it("says nothing of rows, filters, parameters, statements or credentials, whatever becomes of the run", async () => {
    for (const pull of ["filtered", "by-note"]) {
      const { run } = await runPull(stack.api, TENANT, pull);
      assert.deepEqual([run.state, run.rows], ["published", ROWS], JSON.stringify(run.error));
      await traceOf(run);
    }
    const credential = `/tenants/${TENANT}/connections/${CONNECTION}/credential`;
    await stack.api.put(credential, { user: MARKS.user, password: MARKS.password });
    const { run } = await runPull(stack.api, TENANT, "marked");
    assert.equal(run.error?.code, "connection.login_failed");
    const failed = await traceOf(run);
    assert.ok(failed.some(({ name, status }) => name === "login" && status.message === "connection.login_failed"));
    await stack.api.put(credential, stack.source.reader);

    const said = collector.bodies();
    const secrets = { ...MARKS, reader: stack.source.reader.password, sa: stack.source.server.password };
    for (const [place, mark] of Object.entries(secrets)) {
      for (const text of [mark, Buffer.from(mark).toString("base64").slice(0, -3), Buffer.from(mark).toString("hex")])
        assert.ok(!said.includes(text), `the mark of ${place} is in the telemetry`);
    }
    const names = new Set(collector.spans.map(({ name }) => name));
    assert.deepEqual(
      [...names].filter((name) => !(SPANS as readonly string[]).includes(name)),
      [],
    );
    assert.ok(collector.spans.every(({ events }) => events.length === 0));
  });

  it("comes from a system that says that it works: a status for anybody, the rest for whoever has a key", async () => {
    const anybody = await call(`${stack.origin}/api/health`, { method: "GET", ca: stack.caPem });
    assert.deepEqual([anybody.status, JSON.parse(anybody.body.toString())], [200, { status: "ok", wrong: [] }]);
    const { status, wrong } = await stack.api.get<HealthDetails>("/health");
    assert.deepEqual([status, wrong], ["ok", []]);
    const nobody = stack.api.as(`sp_nobody_${"a".repeat(43)}`);
    await assert.rejects(nobody.get("/health"), /api\.unauthenticated/);
  });

  it("is joined by the metrics, which the end of the process sends", async () => {
    await cleanup.run();
    for (const name of ["runs", "rows", "bytes", "sessions", "session.setup", "schedule.lag", "run.duration"])
      assert.ok(collector.metricNames.has(`sallyport.${name}`), `${name}: ${[...collector.metricNames].join(" ")}`);
  });
});

async function fill(server: SampleServer): Promise<void> {
  const pool = await new sql.ConnectionPool(connectionConfig(server)).connect();
  try {
    await pool.request().batch("CREATE TABLE dbo.Marked (Id int NOT NULL PRIMARY KEY, Note nvarchar(100) NOT NULL)");
    const table = new sql.Table("dbo.Marked");
    table.create = false;
    table.columns.add("Id", sql.Int, { nullable: false });
    table.columns.add("Note", sql.NVarChar(100), { nullable: false });
    for (let id = 1; id <= ROWS; id++) table.rows.add(id, MARKS.row);
    await pool.request().bulk(table);
  } finally {
    await pool.close();
  }
}

/** The night has come: the pull's due time and its wake entry lie in the past, and the scheduler looks. */
async function runByTheSchedule(stack: Stack, pull: string): Promise<RunView & { readonly pull: string }> {
  const options = { allowInsecureConnection: true };
  const { connectionString } = stack.storage;
  const store = openStore((name) => TableClient.fromConnectionString(connectionString, name, options), randomBytes);
  const key = { tenant: TENANT, pull };
  const cursor = (await store.runs.cursor(key))!;
  const due = { ...cursor.value, nextDue: new Date(Date.now() - 1000).toISOString() };
  assert.equal((await commit(store.runs.table, `${TENANT}|${pull}`, [replaceCursor(due, cursor.etag)])).ok, true);
  await store.wake.insert(key, Date.now() - 1000);
  await stack.api.post("/schedule/tick", {});
  const [started = assert.fail("no run was started")] = await store.runs.runs(key, 1);
  for (;;) {
    const run = await stack.api.get<RunView>(`/tenants/${TENANT}/runs/${pull}.${started.id}`);
    if (!/^(queued|running|waiting|decided)$/.test(run.state)) return { ...run, pull };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the agent did lies within the time in which the orchestrator waited for it, whatever the two clocks say. */
function assertInside(spans: readonly CollectedSpan[]): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  for (const span of spans.filter(({ name }) => ["agent", "policy", "connect", "login", "sql"].includes(name))) {
    const parent = byId.get(span.parentSpanId ?? "")!;
    const [starts, ends] = [span.startTimeUnixNano, span.endTimeUnixNano];
    assert.ok(starts >= parent.startTimeUnixNano && ends <= parent.endTimeUnixNano, `${span.name} in ${parent.name}`);
  }
}
