/** An agent is revoked in the middle of a session: by the record alone, and as the platform team does it over HTTP. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { TableClient } from "@azure/data-tables";
import { openStore } from "@sallyport/cloud/src/store/open.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { startTds, type Tds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { type RunningAgent, readJournal } from "../stack/agent.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { fetchRun } from "../stack/pull.ts";
import { SITE, type Stack, startStack, TENANT } from "../stack/start.ts";
import { readArrowRows } from "./arrow-reader.ts";

const LOGIN = "svc_revoked";
const ROWS = 3_000;
const LEASE_SECONDS = 6;
const READ = /FROM \[dbo\]\.\[Numbered\]/;
/** Slow enough for checkpoints on the way; it ends with the session. */
const SLOW = { kind: "slowRows", everyRows: 100, delayMs: 300 } as const;

describe("an agent that is revoked while it serves", { timeout: 240_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-revoked-"));
  let stack: Stack;
  let tds: Tds;
  const agents: RunningAgent[] = [];
  const view = (run: RunView) => stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
  const when = async (run: RunView, is: (now: RunView) => boolean): Promise<RunView> => {
    for (;;) {
      const now = await view(run);
      if (is(now)) return now;
      assert.ok(!["failed", "cancelled", "superseded"].includes(now.state), JSON.stringify(now.error));
      await pause(50);
    }
  };
  /** A run in the middle of its first session, with a slice committed, and the agent that serves it. */
  const runInTheMiddle = async (pull: string) => {
    const operation = { op: "sql.table", table: "dbo.Numbered", columns: "*" };
    const definition = { connection: "numbers", operation, sink: { type: "blob", format: "arrow" } };
    await stack.api.post(`/tenants/${TENANT}/pulls`, { id: pull, definition });
    const takeBack = tds.faults.add(SLOW, { statement: READ, times: 1 });
    const started = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/${pull}/runs`, {});
    const run = await when(started, ({ slices }) => slices > 0);
    takeBack();
    const serves = agents.find(({ stateDir }) => readJournal(stateDir).some((line) => line.run === run.id));
    assert.ok(serves);
    return { run, serves };
  };
  /** Every row once, from the first slice of the one agent and the rest of another. */
  const assertWhole = async (run: RunView) => {
    const ended = await when(run, ({ state }) => state === "published");
    assert.equal(ended.rows, ROWS);
    const { parts } = await fetchRun(stack.api, TENANT, { run: ended, seconds: 0 }, join(folder, "out"));
    const ids = parts.flatMap((part) => readArrowRows(part).rows.map(([id]) => Number(id)));
    assert.deepEqual(
      ids.toSorted((a, b) => a - b),
      Array.from({ length: ROWS }, (_, index) => index + 1),
    );
  };
  const endOf = ({ stateDir }: RunningAgent, run: RunView) =>
    readJournal(stateDir).find((line) => line.event === "end" && line.run === run.id);

  before(async () => {
    const authority = await makeAuthority();
    const caFile = join(folder, "sql-ca.pem");
    writeFileSync(caFile, authority.caPem);
    const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
    const password = randomBytes(18).toString("base64url");
    const logins = [{ name: LOGIN, password, rights: "read" as const }];
    tds = cleanup.add(await startTds({ tls, logins, databases: ["ERP"] }), (it) => it.close());
    await tds.sql("CREATE TABLE dbo.Numbered (Id int NOT NULL PRIMARY KEY, Note nvarchar(400) NOT NULL)");
    for (let start = 1; start <= ROWS; start += 1000) {
      const values = Array.from(
        { length: 1000 },
        (_, at) => `(${start + at}, N'${randomBytes(90).toString("base64")}')`,
      );
      await tds.sql(`INSERT INTO dbo.Numbered (Id, Note) VALUES ${values.join(", ")}`);
    }
    const policy = `v: 1
connections:
  numbers:
    kind: mssql
    address: localhost:${tds.port}
    database: ERP
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${LOGIN}]
    rules: [{ id: numbered, allow: [table], tables: [dbo.Numbered], columns: "*" }]
`;
    stack = await startStack({
      folder,
      cleanup,
      policy: () => policy,
      settings: {
        SALLYPORT_LEASE_SECONDS: String(LEASE_SECONDS),
        SALLYPORT_SLICE_SECONDS: "0.1",
        SALLYPORT_WAIT_SECONDS: "2",
      },
    });
    await stack.api.post(`/tenants/${TENANT}/connections`, { id: "numbers", site: SITE, kind: "mssql" });
    await stack.api.put(`/tenants/${TENANT}/connections/numbers/credential`, { user: LOGIN, password });
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is cut off by the orchestrator although the relay still lets it through; another agent goes on", async () => {
    agents.push(stack.agent, await stack.addAgent("second"));
    const { run, serves } = await runInTheMiddle("by-record");
    // As a revocation leaves it whose instance died before the hybrid connection was deleted.
    const { connectionString } = stack.storage;
    const options = { allowInsecureConnection: true };
    const store = openStore((name) => TableClient.fromConnectionString(connectionString, name, options), randomBytes);
    const stored = await store.agents.get(TENANT, SITE, serves.id);
    assert.ok(stored);
    await store.agents.update(stored, { ...stored.value, status: "revoked", revokedAt: new Date().toISOString() });
    const cut = await when(run, ({ error }) => error !== null);
    assert.deepEqual([cut.state, cut.error?.code], ["waiting", "agent.revoked"]);
    assert.ok(cut.rows < ROWS);
    await assertWhole(run);
    const other = agents.find((agent) => agent !== serves)!;
    assert.equal(endOf(other, run)?.code, undefined);
    assert.ok(endOf(other, run), "the other agent read the rest");
  });

  it("over HTTP: the run says agent.revoked, waits where the site has no other, and goes on with the next one", async () => {
    const { run, serves } = await runInTheMiddle("by-http");
    await stack.api.post(`/tenants/${TENANT}/sites/${SITE}/agents/${serves.id}/revoke`, {});
    assert.equal((await when(run, ({ error }) => error !== null)).error?.code, "agent.revoked");
    assert.equal((await when(run, ({ error }) => error?.code !== "agent.revoked")).error?.code, "agent.offline");
    await stack.addAgent("third");
    await assertWhole(run);
  });
});
