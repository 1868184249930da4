/** Liveness with the real processes: what a ping is answered with, and what an agent does that is no longer reached. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { agentState } from "@sallyport/shared/schema/liveness.ts";
import { dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const SOURCE = fileURLToPath(new URL("../../../agent/src/cli/main.ts", import.meta.url));
const FAST_CLOCK = new URL("./fast-clock.ts", import.meta.url).href;

let site: Site;
before(async () => {
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  site.setPolicy(`
v: 1
connections:
  erp:
    kind: mssql
    address: 127.0.0.1:9
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`);
  site.addConfig("maxSessions: 3\n");
});
after(() => site.close());

async function open(ping: boolean): Promise<Sender> {
  const dialled = await dial(site, { ping });
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  return dialled.sender;
}

const TABLE = {
  connection: "erp",
  operation: { op: "sql.table" as const, table: "dbo.Orders", columns: "*" as const, watermark: "none" as const },
  credential: { form: "plain" as const, user: "svc", password: "a-password", signIn: "sql" as const },
};

describe("an agent that is locked", () => {
  let agent: RunningAgent;
  const lock = () => join(site.state, "control", "lock");
  before(async () => {
    agent = await site.start();
    writeFileSync(lock(), "");
  });
  after(async () => {
    rmSync(lock(), { force: true });
    assert.equal(await agent.stop(), 0);
  });

  it("answers a ping with its state, and notes when", async () => {
    const sender = await open(true);
    const id = randomBytes(16).toString("hex");
    await sender.request({ id });
    const messages = await sender.messages();
    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ["result", "end"],
    );
    const [result] = messages;
    assert.ok(result?.kind === "result");
    const { version, policy, ...state } = agentState.parse(JSON.parse(result.bytes.toString()));
    assert.deepEqual(state, { maxSessions: 3, running: 0, locked: true, draining: false });
    assert.deepEqual([version, policy], [sender.hello.hello.version, sender.hello.hello.policy]);
    const line = await site.journaled(({ event, request }) => event === "request" && request === id);
    assert.deepEqual([line.op, line.decision], ["agent.ping", "allow"]);
  });

  it("refuses anything else in a session that was opened as a ping, and contacts nobody for it", async () => {
    const sender = await open(true);
    const id = randomBytes(16).toString("hex");
    await sender.request({ id, ...TABLE });
    const last = (await sender.messages()).at(-1);
    assert.equal(last?.kind === "error" && last.body.code, "request.refused");
    const line = await site.journaled(({ event, request }) => event === "request" && request === id);
    assert.deepEqual([line.op, line.decision, line.code], ["sql.table", "deny", "request.refused"]);
  });

  it("is not ready, says why, and tells when it was pinged", async () => {
    const args = ["--state", site.state];
    const locked = (stdout: string) => /^not ready: .*locked by the owner/.test(stdout);
    let ready = await site.cli(["ready", ...args]);
    // The file is written every five seconds.
    while (!locked(ready.stdout)) ready = await site.cli(["ready", ...args]);
    assert.equal(ready.code, 1);
    const status = JSON.parse((await site.cli(["status", "--json", ...args])).stdout) as {
      canary: { canaryAt: string | null; missed: number };
    };
    assert.ok(status.canary.canaryAt !== null);
    assert.equal(status.canary.missed, 0);
  });
});

describe("an agent whose canaries do not arrive", { timeout: 300_000 }, () => {
  /** A run of the sources on the fast clock, to its own end or to the one that is asked for. */
  async function run(enough: Promise<void>): Promise<{ code: number | null; log: string }> {
    const flags = ["--disable-warning=ExperimentalWarning", "--import", FAST_CLOCK];
    const child = spawn(process.execPath, [...flags, SOURCE, "run", "--state", site.state, "--insecure-files"], {
      env: { PATH: process.env.PATH },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.on("data", (chunk) => {
      log += chunk;
    });
    void enough.then(() => child.kill("SIGTERM"));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, log };
  }

  it("builds its channel anew after three, and ends with 75 after six", async () => {
    const { faults } = site.orchestrator;
    faults.canarySeconds = 30;
    // Another one each time, sent a while ago, of which none ever comes.
    faults.newestCanary = (nowMs) => ({
      id: randomBytes(16).toString("hex"),
      sentAt: new Date(nowMs - 12_000).toISOString(),
    });
    const before = site.relay.stats().listenersTotal;
    const { code, log } = await run(new Promise(() => {}));
    assert.equal(code, 75, log);
    assert.equal(log.split("a canary was sent and did not arrive").length - 1, 6);
    assert.ok(site.relay.stats().listenersTotal >= before + 2, "a second channel was opened");
    const anew = log.indexOf("built anew");
    assert.ok(anew > log.indexOf('"missed":3') && anew < log.indexOf('"missed":4'));
    const verified = await site.cli(["journal", "verify", "--state", site.state]);
    assert.equal(verified.code, 0, "it drained and closed its journal");
  });

  it("goes on for ever where the orchestrator has sent nothing", async () => {
    const { faults } = site.orchestrator;
    faults.canarySeconds = 30;
    let asked = 0;
    const enough = Promise.withResolvers<void>();
    faults.newestCanary = () => {
      if (++asked === 8) enough.resolve();
      return null;
    };
    const { code, log } = await run(enough.promise);
    assert.equal(code, 0, log);
    assert.ok(asked >= 8);
    assert.doesNotMatch(log, /did not arrive|built anew/);
  });
});
