/** One value of 200 MB: refused by default; carried where policy and request allow it, within the executor's memory. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { dial } from "../../e2e/agent/sender.ts";
import { startSite } from "../../e2e/agent/site.ts";
import { startTds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";

const PASSWORD = "Reader-1-of-this-test";
const CELL_BYTES = 200 * 10 ** 6;
/** What docs/connectors/mssql.md says under "Limits": the agent itself ends what takes more (`limit.memory`). */
const EXECUTOR_MEMORY = "1GiB";
const ALLOWED = { cellBytes: 256 * 2 ** 20, rowBytes: 256 * 2 ** 20 };

it("a cell of 200 MB", { timeout: 300_000 }, async (t) => {
  const authority = await makeAuthority();
  const tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: "read" }],
    databases: ["ERP"],
  });
  t.after(() => tds.close());
  await tds.sql("CREATE TABLE dbo.Scans (Id int NOT NULL PRIMARY KEY, Image varbinary(max) NULL)");
  await tds.sql("INSERT INTO dbo.Scans (Id, Image) VALUES (1, 0x00)");
  tds.faults.add({ kind: "hugeValue", afterRows: 0, characters: CELL_BYTES }, { statement: /FROM \[dbo\]\.\[Scans\]/ });
  const site = await startSite();
  t.after(() => site.close());
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
    limits: { cellBytes: 256MiB, rowBytes: 256MiB }
    rules:
      - { id: scans, allow: [table], tables: [dbo.Scans], columns: "*" }
`);
  site.addConfig(`executorMemory: ${EXECUTOR_MEMORY}\n`);
  const agent = await site.start();
  const read = async (limits: object) => {
    const dialled = await dial(site);
    assert.ok(dialled.ok);
    await dialled.sender.request({
      id: randomBytes(16).toString("hex"),
      caller: "pull:scans",
      connection: "erp",
      operation: { op: "sql.table", table: "dbo.Scans", columns: "*", watermark: "none" },
      credential: { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" },
      limits: { ...DEFAULT_LIMITS, ...limits },
    });
    return dialled.sender.messages();
  };
  const refused = (await read({})).at(-1);
  assert.ok(refused?.kind === "error", refused?.kind);
  assert.equal(refused.body.code, "limit.bytes");
  const carried = await read(ALLOWED);
  assert.equal(carried.at(-1)?.kind, "end", JSON.stringify(carried.at(-1)));
  // Arrow states the length of a compressed buffer before it (RecordBatch, BodyCompression).
  const length = Buffer.alloc(8);
  length.writeBigInt64LE(BigInt(CELL_BYTES));
  assert.ok(carried.some((message) => message.kind === "batch" && Buffer.from(message.bytes).includes(length)));
  await site.journaled(({ event, rowsOut }) => event === "end" && rowsOut === 1);
  assert.equal(await agent.stop(), 0);
});
