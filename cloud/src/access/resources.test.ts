/** A restricted key and what was read by, or asked of, a connection that a pull has left, or whose name another one got. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { putPull } from "../pulls/define.ts";
import { removePull } from "../pulls/remove.ts";
import { answer, definitionOf, testRig } from "../pulls/test-rig.ts";
import { testSource } from "../pulls/test-source.ts";
import { listRuns, startRun } from "../pulls/views.ts";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { permits } from "./principal.ts";
import { places } from "./resources.ts";

const rig = await testRig(await testAzurite());
const deps = rig.process(testSource(5));
const { store } = deps;
const look = places(store);
const MADE = "2026-01-01T00:00:00.000Z";

const connect = (id: string, site: string, createdAt = MADE) =>
  store.connections.insert("acme", id, {
    ...{ site, kind: "mssql", createdAt, credentialVersion: null, credentialAt: null },
  });
const reconnect = async (id: string, site: string) => {
  await store.connections.remove((await store.connections.get("acme", id))!);
  await connect(id, site, "2026-02-02T00:00:00.000Z");
};
const reach = async (only: Parameters<typeof permits>[0], about: "run" | "request", name: string) =>
  (await look.of("acme", about, name)).every((resource) => permits(only, resource));

async function runOf(pull: string, connection: string): Promise<string> {
  await putPull(deps, { tenant: "acme", pull }, definitionOf({ connection }));
  const { id } = await startRun(deps, "acme", pull);
  await answer(deps, { tenant: "acme", pull }, splitRunId(id).run);
  return id;
}

test("a run stays its connection's when its pull is removed, and made again on another", async () => {
  await connect("hr", "oslo");
  await connect("crm", "bergen");
  const run = await runOf("orders", "hr");
  const [hr, crm, both] = [{ connections: ["hr"] }, { connections: ["crm"] }, { connections: ["crm", "hr"] }];
  const reached = async () =>
    Promise.all([hr, crm, both, { sites: ["oslo"] }, { sites: ["bergen"] }].map((only) => reach(only, "run", run)));
  assert.deepEqual(await reached(), [true, false, true, true, false]);
  await removePull(deps, { tenant: "acme", pull: "orders" });
  assert.deepEqual(await reached(), [true, false, true, true, false]);
  const second = await runOf("orders", "crm");
  // What the pull is now counts as well: a run that is started again reads from there.
  assert.deepEqual(await reached(), [false, false, true, false, false]);
  assert.deepEqual([await reach(crm, "run", second), await reach(hr, "run", second)], [true, false]);
  const seen = await listRuns(deps, "acme", "orders", { most: 50 }, async (source) => source?.connection === "crm");
  assert.deepEqual(
    seen.items.map(({ id }) => id),
    [second],
  );
});

test("a run is not that of another connection that got its connection's name", async () => {
  await connect("erp", "oslo");
  const run = await runOf("stock", "erp");
  await removePull(deps, { tenant: "acme", pull: "stock" });
  await reconnect("erp", "bergen");
  for (const only of [{ sites: ["bergen"] }, { sites: ["oslo"] }, { connections: ["erp"] }])
    assert.equal(await reach(only, "run", run), false);
  assert.equal(await reach({ pulls: ["stock"] }, "run", run), true);
});

test("a request is not that of another connection that got its connection's name", async () => {
  await connect("mes", "oslo");
  const id = "a".repeat(32);
  await store.requests.insert("acme", id, {
    ...{ connection: "mes", connectionAt: MADE, operation: "sql.query", caller: "key:k", state: "succeeded" },
    ...{ startedAt: MADE, endedAt: MADE, rows: 1, bytes: 1, asked: null, askedKey: null, result: null },
    ...{ rowsBlob: null, error: null, suggestion: null, repeatable: true, holder: "h", leaseUntil: MADE },
    ...{ deadline: MADE, expiresAt: MADE },
  });
  assert.equal(await reach({ sites: ["oslo"] }, "request", id), true);
  await reconnect("mes", "bergen");
  assert.equal(await reach({ sites: ["bergen"] }, "request", id), false);
  assert.equal(await reach({ connections: ["mes"] }, "request", id), false);
});
