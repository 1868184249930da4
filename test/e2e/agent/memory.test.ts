/** A session that outgrows its executor's memory ends its run with `limit.memory`, whoever notices first. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const PASSWORD = "Reader-1-of-this-test";
/** Within the limit of a value, and several times that in the driver's and our buffers. */
const CELL_BYTES = 15 * 2 ** 20;
const ROWS = 2;

let site: Site;
let agent: RunningAgent;
let tds: Tds;
before(async () => {
  const authority = await makeAuthority();
  tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: "read" }],
    databases: ["ERP"],
  });
  const columns = ["Front varbinary(max) NULL", "Back varbinary(max) NULL", "Side varbinary(max) NULL"];
  await tds.sql(`CREATE TABLE dbo.Scans (Id int NOT NULL PRIMARY KEY, ${columns.join(", ")})`);
  const image = randomBytes(CELL_BYTES).toString("hex");
  for (let row = 1; row <= ROWS; row++) {
    await tds.sql(`INSERT INTO dbo.Scans (Id, Front) VALUES (${row}, 0x${image})`);
    await tds.sql(`UPDATE dbo.Scans SET Back = Front, Side = Front WHERE Id = ${row}`);
  }
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
  site.setPolicy(`v: 1
connections:
  erp:
    kind: mssql
    address: localhost:${tds.port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    limits: { rowBytes: 64MiB }
    rules:
      - { id: scans, allow: [table], tables: [dbo.Scans], columns: "*" }
`);
  site.addConfig("executorMemory: 192MiB\n");
  agent = await site.start();
});
after(async () => {
  await site.close();
  await tds.close();
});

async function open(): Promise<Sender> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  return dialled.sender;
}

test("the session says so, or the next one of its run does; the journal has it, and the agent goes on", async () => {
  const ids: string[] = [];
  let code: string | undefined;
  while (code === undefined && ids.length < 3) {
    const id = randomBytes(16).toString("hex");
    ids.push(id);
    const sender = await open();
    await sender.request({
      id,
      run: "scans.0000000000001-0000000a",
      pull: "scans",
      caller: "pull:scans",
      connection: "erp",
      operation: { op: "sql.table", table: "dbo.Scans", columns: "*", watermark: "none" },
      credential: { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" },
      limits: { ...DEFAULT_LIMITS, rowBytes: 64 * 2 ** 20 },
    });
    const last = (await sender.messages()).at(-1);
    if (last?.kind === "error") code = last.body.code;
    else assert.notEqual(last?.kind, "end", "it fits after all");
    await site.journaled(({ event, request }) => event === "end" && request === id);
  }
  assert.equal(code, "limit.memory");
  const ends = site.journal().filter(({ event, request }) => event === "end" && ids.includes(String(request)));
  assert.deepEqual(
    ends.map((line) => line.code),
    ids.map(() => "limit.memory"),
  );
  const sender = await open();
  await sender.request();
  assert.equal((await sender.messages()).at(-1)?.kind, "end");
  assert.equal(await agent.stop(), 0);
});
