/** A request that waits while its connection is removed, and another one gets the name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { createOpenSession } from "../sessions/open.ts";
import { NO_TELEMETRY } from "../telemetry/telemetry.ts";
import { goOn } from "./go-on.ts";
import { makeRequest } from "./make.ts";
import { by, call, idOf, rig, stateOf, store } from "./test-rig.ts";

const signer: Signer = { alg: "ES256", kid: "k", sign: async () => assert.fail("nothing is sent") };

test("a change that waits for a connection is not sent to another one that got its name", async () => {
  const dialled: string[] = [];
  const none = () => assert.fail("no agent is there");
  const openSession = createOpenSession({
    ...{ relayHost: "localhost:1", signer, authorization: none, isCurrent: none, credentialOf: none, reached: none },
    ...{ began: () => () => undefined, alert: () => undefined, telemetry: NO_TELEMETRY },
    connectionOf: async (tenant, connection) => (await store.connections.get(tenant, connection))!.value,
    candidates: async (_tenant, site) => {
      dialled.push(site);
      return [];
    },
  });
  const record = { kind: "mssql" as const, credentialVersion: null, credentialAt: null };
  const at = (site: string, createdAt: string) =>
    store.connections.insert("acme", "mes", { ...record, site, createdAt });
  await at("oslo", "2026-01-01T00:00:00.000Z");
  const { deps, rung, pass } = rig(openSession);
  const id = idOf(await makeRequest(deps, by, { ...call, connection: "mes" }));
  await goOn(deps, { tenant: "acme", request: id });
  assert.deepEqual([await stateOf(deps, id), dialled], [["waiting", "agent.offline"], ["oslo"]]);
  await store.connections.remove((await store.connections.get("acme", "mes"))!);
  await at("bergen", "2026-01-01T00:00:05.000Z");
  pass(11);
  const rang = rung.length;
  await goOn(deps, { tenant: "acme", request: id });
  assert.deepEqual([await stateOf(deps, id), dialled], [["failed", "api.not_found"], ["oslo"]]);
  assert.equal(rung.length, rang);
});
