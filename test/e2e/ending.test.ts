/**
 * What becomes of a run whose function app ends: it is given back in the seconds that Azure leaves a worker, also where no checkpoint can
 * be reached, so that the next instance claims it at once and not when the lease is over.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { TableClient } from "@azure/data-tables";
import { openStore } from "@sallyport/cloud/src/store/open.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import type { Tds } from "../emulators/tds/start.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { CONNECTION, type StackOn, TENANT } from "../stack/start.ts";
import { readsFlights, startFlights } from "./flights.ts";

describe("a function app that ends while a run reads", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-ending-"));
  let sqlServer: Tds;
  let stack: StackOn;

  before(async () => {
    ({ sqlServer, stack } = await startFlights(folder, cleanup, 2_000));
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("gives it back, and ends in order", async () => {
    const definition = { connection: CONNECTION, operation: { op: "sql.table", table: "dbo.Flights", columns: "*" } };
    await stack.api.post(`/tenants/${TENANT}/pulls`, {
      id: "flights",
      definition: { ...definition, watermark: "none" },
    });
    sqlServer.faults.add({ kind: "stallInRow", afterRows: 500 }, { statement: /SELECT .*FROM \[dbo\]\.\[Flights\]/s });
    const started = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/flights/runs`, {});
    while (!sqlServer.log.some(readsFlights)) await Promise.race([pause(20), stack.broken]);
    assert.deepEqual(await stack.app.close(), { code: 0, signal: null });

    const options = { allowInsecureConnection: true };
    const { connectionString } = stack.storage;
    const store = openStore((name) => TableClient.fromConnectionString(connectionString, name, options), randomBytes);
    const id = started.id.slice(started.id.indexOf(".") + 1);
    const run = await store.runs.run({ tenant: TENANT, pull: "flights" }, id);
    assert.deepEqual([run?.value.state, run?.value.holder, run?.value.claims], ["queued", "", 1]);
  });
});
