/** `sallyport run` over time: tokens, approval, clocks, reconnects, both channels, and what it refuses to start with. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { dial } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

let site: Site;
before(async () => {
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
});
after(() => site.close());

async function ping(): Promise<void> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  await dialled.sender.request();
  assert.equal((await dialled.sender.messages()).at(-1)?.kind, "end");
}

/** Until the agent is back: it reconnects by itself, after a pause of its own choosing. */
async function pingAgain(): Promise<void> {
  for (let dialled = await dial(site); ; dialled = await dial(site)) {
    if (!dialled.ok) {
      await pause(200);
      continue;
    }
    await dialled.sender.request();
    assert.equal((await dialled.sender.messages()).at(-1)?.kind, "end");
    return;
  }
}

const run = (environment: Record<string, string> = {}, more: string[] = []) =>
  site.cli(["run", "--config", join(site.state, "agent.yaml"), ...more], "", environment);

for (const [name, value] of [
  ["NODE_OPTIONS", "--no-warnings"],
  ["NODE_DEBUG", "http"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
]) {
  test(`${name} in its environment is refused with 78`, async () => {
    const { code, stderr } = await run({ [name!]: value! });
    assert.equal(code, 78);
    assert.match(stderr, new RegExp(`${name} must not be set`));
  });
}

test("a policy that this account can change is refused with 78", async () => {
  const { code, stderr } = await run();
  assert.equal(code, 78);
  assert.match(stderr, /can change .*policy\.yaml/);
});

test("an invalid policy is refused with 65 and its line", async () => {
  writeFileSync(join(site.state, "policy.yaml"), "v: 1\nconnections: {}\nsurprise: true\n");
  const { code, stderr } = await run({}, ["--insecure-files"]);
  assert.equal(code, 65);
  assert.match(stderr, /line 3.*surprise/);
  const checked = await site.cli(["policy", "check", "--state", site.state]);
  assert.equal(checked.code, 65);
  site.setPolicy("v: 1\nconnections: {}\n");
});

test("no agent.yaml is 78 and says what to do", async () => {
  const { code, stderr } = await site.cli(["run", "--config", join(site.state, "none.yaml")]);
  assert.equal(code, 78);
  assert.match(stderr, /sallyport enroll/);
});

for (const channel of ["hyco-ws", "ws"]) {
  test(`channel ${channel}: renews its token over the open channel, comes back after a reset, stays one agent`, async (t) => {
    const config = readFileSync(join(site.state, "agent.yaml"), "utf8").replace(/^channel:.*\n/m, "");
    writeFileSync(join(site.state, "agent.yaml"), `${config}channel: ${channel}\n`);
    site.orchestrator.faults.tokenSeconds = 8;
    const agent: RunningAgent = await site.start();
    t.after(async () => {
      site.orchestrator.faults.tokenSeconds = 1800;
      await agent.stop();
    });
    const before = site.relay.stats().listenersTotal;
    // Renewals are at least 5 s apart: with the second the first token has expired, and the channel is still the first.
    await site.orchestrator.nextTokenRequest();
    await site.orchestrator.nextTokenRequest();
    await ping();
    assert.equal(site.relay.stats().listenersTotal, before);
    const second = await run({}, ["--insecure-files"]);
    assert.equal(second.code, 75);
    assert.match(second.stderr, /already running/);
    site.relay.faults.resetListeners();
    await pingAgain();
    assert.ok(site.relay.stats().listenersTotal > before);
    assert.equal(await agent.stop(), 0);
  });
}

test("a clock that is an hour off is corrected for the signature only", async () => {
  site.orchestrator.faults.clockAheadMs = 3_600_000;
  const agent = await site.start();
  await ping();
  assert.equal(await agent.stop(), 0);
  site.orchestrator.faults.clockAheadMs = 0;
});

test("what the orchestrator is told: the journal's head, the policy, no step back", async () => {
  const last = site.orchestrator.reports.at(-1);
  assert.equal(last?.locked, false);
  const lines = site.journal();
  assert.ok(lines.some(({ seq }) => seq === last?.journal?.seq));
});

test("a pending agent asks on, and listens once it is approved", async () => {
  assert.equal((await site.enroll(site.orchestrator.code(false))).code, 0);
  const starting = site.start();
  await site.orchestrator.nextTokenRequest();
  await site.orchestrator.nextTokenRequest();
  site.orchestrator.agents.get(site.agentId())!.status = "active";
  const agent = await starting;
  await ping();
  assert.equal(await agent.stop(), 0);
  assert.ok(site.journal().some(({ event, code }) => event === "token" && code === "agent.pending"));
});

test("a lock file turns sessions down, and lifting it lets them in", async () => {
  const agent = await site.start();
  const lock = join(site.state, "control", "lock");
  writeFileSync(lock, "");
  await site.journaled(({ event, decision }) => event === "lock" && decision === "deny");
  const locked = await dial(site);
  assert.match(!locked.ok ? locked.reason : "", /agent\.locked/);
  const canary = await dial(site, { ping: true });
  assert.ok(canary.ok);
  await canary.sender.request();
  assert.equal((await canary.sender.messages()).at(-1)?.kind, "end");
  assert.equal(await agent.stop("SIGINT"), 0);
});
