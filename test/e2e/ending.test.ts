/**
 * What becomes of a run whose function app ends: it is given back in the seconds that Azure leaves a worker, also where no checkpoint can
 * be reached, so that the next instance claims it at once and not when the lease is over.
 */
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
import { type LogEntry, startTds, type Tds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { fillSample } from "../stack/sample.ts";
import { CONNECTION, READER, type StackOn, startStackOn, TENANT } from "../stack/start.ts";

describe("a function app that ends while a run reads", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-ending-"));
  let sqlServer: Tds;
  let stack: StackOn;

  before(async () => {
    const authority = await makeAuthority();
    const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
    const ca = join(folder, "sql-server-ca.pem");
    writeFileSync(ca, authority.caPem);
    const [password, readerPassword] = [randomBytes(18).toString("base64url"), randomBytes(18).toString("base64url")];
    const logins = [
      { name: "sa", password, rights: "sysadmin" as const },
      { name: READER, password: readerPassword, rights: "read" as const },
    ];
    sqlServer = cleanup.add(await startTds({ tls, logins, databases: ["ERP"] }), (it) => it.close());
    const server = { host: "localhost", port: sqlServer.port, database: "ERP", user: "sa", password };
    const source = {
      schema: "dbo",
      reader: { user: READER, password: readerPassword },
      tls: { mode: "required", ca } as const,
      server: { ...server, ca: authority.caPem },
    };
    stack = await startStackOn(source, { folder, cleanup });
    cleanup.add(await fillSample(source.server, 2_000, () => undefined), (it) => it.close());
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  const reads = ({ kind, ...entry }: LogEntry) =>
    (kind === "rpc" || kind === "batch") && "text" in entry && /FROM \[dbo\]\.\[Flights\]/.test(entry.text);

  it("gives it back, and ends in order", async () => {
    const definition = { connection: CONNECTION, operation: { op: "sql.table", table: "dbo.Flights", columns: "*" } };
    await stack.api.post(`/tenants/${TENANT}/pulls`, {
      id: "flights",
      definition: { ...definition, watermark: "none" },
    });
    sqlServer.faults.add({ kind: "stallInRow", afterRows: 500 }, { statement: /SELECT .*FROM \[dbo\]\.\[Flights\]/s });
    const started = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/flights/runs`, {});
    while (!sqlServer.log.some(reads)) await Promise.race([pause(20), stack.broken]);
    assert.deepEqual(await stack.app.close(), { code: 0, signal: null });

    const options = { allowInsecureConnection: true };
    const { connectionString } = stack.storage;
    const store = openStore((name) => TableClient.fromConnectionString(connectionString, name, options), randomBytes);
    const id = started.id.slice(started.id.indexOf(".") + 1);
    const run = await store.runs.run({ tenant: TENANT, pull: "flights" }, id);
    assert.deepEqual([run?.value.state, run?.value.holder, run?.value.claims], ["queued", "", 1]);
  });
});
