/** A masked pull over the whole system: what lies in the files, and what happens when a second agent hashes with another key. */
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { startTds, type Tds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { type RunningAgent, readJournal } from "../stack/agent.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { fetchRun } from "../stack/pull.ts";
import { SITE, type Stack, startStack, TENANT } from "../stack/start.ts";
import { readArrowRows } from "./arrow-reader.ts";

const LOGIN = "svc_masked";
const ROWS = 2_000;
const READ = /FROM \[dbo\]\.\[People\]/;
/** Slow enough for checkpoints on the way; it ends with the session. */
const SLOW = { kind: "slowRows", everyRows: 50, delayMs: 300 } as const;
const emailOf = (id: number): string => `person${id}@example.no`;

const cleanup = createCleanup();
const folder = mkdtempSync(join(tmpdir(), "sallyport-masks-"));
let stack: Stack;
let tds: Tds;

before(async () => {
  const authority = await makeAuthority();
  const caFile = join(folder, "sql-ca.pem");
  writeFileSync(caFile, authority.caPem);
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const password = randomBytes(18).toString("base64url");
  const logins = [{ name: LOGIN, password, rights: "read" as const }];
  tds = cleanup.add(await startTds({ tls, logins, databases: ["ERP"] }), (it) => it.close());
  await tds.sql(
    "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email nvarchar(100) NOT NULL, Born date NOT NULL)",
  );
  for (let start = 1; start <= ROWS; start += 1000) {
    const values = Array.from({ length: 1000 }, (_, at) => `(${start + at}, N'${emailOf(start + at)}', '1985-05-17')`);
    await tds.sql(`INSERT INTO dbo.People (Id, Email, Born) VALUES ${values.join(", ")}`);
  }
  const policy = `v: 1
connections:
  people:
    kind: mssql
    address: localhost:${tds.port}
    database: ERP
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${LOGIN}]
    rules:
      - { id: people, allow: [table], tables: [dbo.People], columns: [Id, Email, Born], mask: { Email: hash, Born: year } }
`;
  const settings = { SALLYPORT_LEASE_SECONDS: "6", SALLYPORT_SLICE_SECONDS: "0.1", SALLYPORT_WAIT_SECONDS: "2" };
  stack = await startStack({ folder, cleanup, policy: () => policy, settings });
  await stack.api.post(`/tenants/${TENANT}/connections`, { id: "people", site: SITE, kind: "mssql" });
  await stack.api.put(`/tenants/${TENANT}/connections/people/credential`, { user: LOGIN, password });
});
after(async () => {
  await cleanup.run();
  rmSync(folder, { recursive: true, force: true });
});

const when = async (run: RunView, is: (now: RunView) => boolean): Promise<RunView> => {
  for (;;) {
    const now = await stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
    if (is(now)) return now;
    assert.ok(!["failed", "cancelled", "superseded"].includes(now.state), JSON.stringify(now.error));
    await pause(50);
  }
};
const keyFile = ({ stateDir }: RunningAgent): string => join(stateDir, "mask.key");

it("a second agent goes on with a hashed run once it has the first one's mask key, and not before", {
  timeout: 240_000,
}, async () => {
  const operation = { op: "sql.table", table: "dbo.People", columns: ["Id", "Email", "Born"] };
  const definition = { connection: "people", operation, sink: { type: "blob", format: "arrow" } };
  await stack.api.post(`/tenants/${TENANT}/pulls`, { id: "people", definition });
  const takeBack = tds.faults.add(SLOW, { statement: READ, times: 1 });
  const run = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/people/runs`, {});
  await when(run, ({ slices }) => slices > 0);
  takeBack();
  const second = await stack.addAgent("second");
  await stack.api.post(`/tenants/${TENANT}/sites/${SITE}/agents/${stack.agent.id}/revoke`, {});

  const waiting = await when(run, ({ error }) => error?.code === "agent.mask_key");
  assert.equal(waiting.state, "waiting");
  assert.ok(waiting.rows > 0 && waiting.rows < ROWS);
  assert.ok(!readJournal(second.stateDir).some((line) => line.event === "request" && line.run === run.id));

  copyFileSync(keyFile(stack.agent), keyFile(second));
  const ended = await when(run, ({ state }) => state === "published");
  const { parts } = await fetchRun(stack.api, TENANT, { run: ended, seconds: 0 }, join(folder, "out"));
  const rows = parts.flatMap((part) => readArrowRows(part).rows);
  const { key } = JSON.parse(readFileSync(keyFile(second), "utf8")) as { key: string };
  const hashOf = (id: number) =>
    createHmac("sha256", Buffer.from(key, "base64url")).update(emailOf(id)).digest("base64url");
  assert.deepEqual(
    rows
      .map(([id, email, born]) => [Number(id), String(email), Number(born)])
      .toSorted(([a], [b]) => Number(a) - Number(b)),
    Array.from({ length: ROWS }, (_, at) => [at + 1, hashOf(at + 1), 1985]),
  );

  // The hybrid connection is gone, so the revoked agent asks why.
  const revoked = (line: Record<string, unknown>) => line.event === "token" && line.code === "agent.revoked";
  while (!readJournal(stack.agent.stateDir).some(revoked)) await pause(100);
});
