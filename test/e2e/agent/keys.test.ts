/** The running agent's own keys: a new identity at the owner's word, and files that nobody else may read. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fingerprint, generateKeyPair, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { dial } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

let site: Site;
let agent: RunningAgent;
before(async () => {
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
});
after(() => site.close());

const identityFile = () => join(site.state, "keys", "identity.jwk");
const registered = () => site.orchestrator.agents.get(site.agentId())!;

async function ping(): Promise<void> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  await dialled.sender.request();
  assert.equal((await dialled.sender.messages()).at(-1)?.kind, "end");
}

test("P1.10 with a key that others can read it does not start, and says which", async () => {
  chmodSync(identityFile(), 0o644);
  const { code, stderr } = await site.cli(["run", "--config", join(site.state, "agent.yaml"), "--insecure-files"]);
  assert.equal(code, 78);
  assert.match(stderr, /identity\.jwk/);
  chmodSync(identityFile(), 0o600);
});

test("P1.5 keys rotate: the running agent goes over to a new identity, journals it, and serves on", async () => {
  agent = await site.start();
  await ping();
  const before = registered().kid;
  const asked = await site.cli(["keys", "rotate", "--state", site.state, "--json"]);
  assert.equal(asked.code, 0, asked.stderr);
  assert.equal((JSON.parse(asked.stdout) as { running: boolean }).running, true);
  const line = await site.journaled(({ event }) => event === "rotate");
  assert.deepEqual([line.key, line.kid], ["identity", registered().kid]);
  assert.notEqual(registered().kid, before);
  const file = JSON.parse(readFileSync(identityFile(), "utf8")) as { kty: string; crv: string; x: string };
  const { kty, crv, x } = file;
  assert.equal(await fingerprint({ kty, crv, x }), `SHA256:${registered().kid}`);
  await ping();
  const shown = await site.cli(["keys", "show", "--state", site.state]);
  assert.match(shown.stdout, new RegExp(`SHA256:${registered().kid}`));
  assert.equal(await agent.stop(), 0);
});

test("asked for while no agent runs, it happens at the next start", async () => {
  const before = registered().kid;
  const asked = await site.cli(["keys", "rotate", "--state", site.state]);
  assert.match(asked.stdout, /when it is started/);
  agent = await site.start();
  await ping();
  assert.notEqual(registered().kid, before);
  assert.equal(site.journal().filter(({ event }) => event === "rotate").length, 2);
  await agent.stop();
});

test("a key that the orchestrator announces is journaled when the agent takes it, and only then", async () => {
  const key = (await generateKeyPair("ES256")).publicJwk;
  site.orchestrator.faults.announced.push(key);
  agent = await site.start();
  const line = await site.journaled((each) => each.event === "rotate" && each.key === "orchestrator");
  assert.equal(line.kid, await thumbprint(key));
  await agent.stop();
  agent = await site.start();
  await ping();
  await agent.stop();
  assert.equal(site.journal().filter((each) => each.key === "orchestrator").length, 1);
});

test("without an agent there is nothing to rotate or to show", async () => {
  for (const verb of ["rotate", "show"]) {
    const { code } = await site.cli(["keys", verb, "--state", join(site.state, "nowhere")]);
    assert.equal(code, 78);
  }
});
