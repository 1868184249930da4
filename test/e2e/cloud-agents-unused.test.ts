/** Agents that are not used: drained for a while, or retired because nothing is heard of them any more. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { agentDirectory } from "@sallyport/cloud/src/agents/agent-store.ts";
import { createLoad } from "@sallyport/cloud/src/agents/choice.ts";
import {
  drainAgent,
  listAgents,
  resumeAgent,
  retireSilent,
  revokeAgent,
} from "@sallyport/cloud/src/agents/registry.ts";
import { ed25519Jwk, generateKeyPair, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { openCloudStore } from "./cloud-store.ts";

const cloud = await openCloudStore();
const { store, now, clock } = cloud;
const directory = agentDirectory({ ...cloud, load: createLoad(), alert: () => undefined });
const DAY_MS = 86_400_000;

async function newAgent(status: "active" | "pending", site = "oslo"): Promise<string> {
  const id = randomBytes(16).toString("hex");
  const identity = ed25519Jwk.parse((await generateKeyPair("EdDSA")).publicJwk);
  await directory.insertAgent({
    ...{ id, tenant: "contoso", site, status, identity, kid: await thumbprint(identity) },
    ...{ unseal: "", host: "h", version: "0.1.0", codeId: "c", enrolledAt: now().toISOString() },
    ...{ origin: "https://orchestrator.test", relayHost: "contoso.servicebus.windows.net" },
  });
  return id;
}

test("agents of which nothing was heard for long are retired, pending ones too, and nobody else", async () => {
  const removed: string[] = [];
  const deps = {
    ...cloud,
    hybridConnections: { create: async () => undefined, remove: async (path: string) => void removed.push(path) },
  };
  const silent = await newAgent("active");
  const waiting = await newAgent("pending");
  const heard = await newAgent("active");
  clock.nowMs += 90 * DAY_MS;
  const stored = await store.agents.get("contoso", "oslo", heard);
  await store.agents.update(stored!, { ...stored!.value, reachedAt: now().toISOString() });
  clock.nowMs += 90 * DAY_MS;
  assert.equal(await retireSilent(deps, 180), 0, "to the day, it is not long enough");
  clock.nowMs += 1;
  assert.equal(await retireSilent(deps, 180), 2);
  const at = now().toISOString();
  const views = (await listAgents(deps, "contoso", "oslo", { most: 10 })).items;
  assert.deepEqual(Object.fromEntries(views.map(({ id, status, retiredAt }) => [id, [status, retiredAt]])), {
    [silent]: ["revoked", at],
    [waiting]: ["revoked", at],
    [heard]: ["active", null],
  });
  assert.deepEqual(removed.sort(), [`a-${silent}`, `a-${waiting}`].sort());
  assert.deepEqual(views[0]?.pinned, {
    ...{ origin: "https://orchestrator.test", relayHost: "contoso.servicebus.windows.net" },
  });
  assert.equal(await retireSilent(deps, 180), 0, "once is enough");
});

test("a drained agent is given to no session until it is resumed, and a revoked one is not drained", async () => {
  const deps = { ...cloud, hybridConnections: { create: async () => undefined, remove: async () => undefined } };
  const [one, other] = [await newAgent("active", "bergen"), await newAgent("active", "bergen")];
  const given = async () => (await directory.candidates("contoso", "bergen")).map(({ id }) => id).sort();
  const drained = await drainAgent(deps, "contoso", "bergen", one);
  assert.deepEqual([drained.status, drained.drainedAt], ["active", now().toISOString()]);
  clock.nowMs += 60_000;
  assert.equal((await drainAgent(deps, "contoso", "bergen", one)).drainedAt, drained.drainedAt, "it stays the first");
  assert.deepEqual(await given(), [other]);
  assert.equal((await resumeAgent(deps, "contoso", "bergen", one)).drainedAt, null);
  assert.deepEqual(await given(), [one, other].sort());
  await revokeAgent(deps, "contoso", "bergen", one);
  await assert.rejects(drainAgent(deps, "contoso", "bergen", one), { code: "agent.revoked" });
});
