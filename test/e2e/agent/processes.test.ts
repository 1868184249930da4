/** The agent's processes as the system sees them: what confines executors, and what happens when one side is killed. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { executorCommand } from "@sallyport/agent/src/supervisor/executor-command.ts";
import { createExecutorPool } from "@sallyport/agent/src/supervisor/executors.ts";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { programOf } from "../../stack/program.ts";
import { agentEntry } from "./entry.ts";
import { dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const program = programOf(agentEntry());
const command = executorCommand(384, process.platform, { module: program.executor, readable: program.readable });
const onLinux = process.platform === "linux";
const silent = { warn: () => {}, error: () => {}, info: () => {} } as never;

/** Takes TCP connections and never says a word: a server that hangs. */
async function startMuteServer(): Promise<{ server: Server; port: number; called: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("close", () => {
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { server, port, called: () => once(server, "connection").then(() => undefined) };
}

let site: Site;
let agent: RunningAgent;
let mute: Awaited<ReturnType<typeof startMuteServer>>;
before(async () => {
  mute = await startMuteServer();
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  site.setPolicy(`
v: 1
connections:
  erp:
    kind: mssql
    address: 127.0.0.1:${mute.port}
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`);
  site.addConfig("drainSeconds: 0\n");
  agent = await site.start();
});
after(async () => {
  await site.close();
  mute.server.close();
});

async function open(): Promise<Sender> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  return dialled.sender;
}

/** Starts a read that hangs in the mute server, and waits until it is there. */
async function hang(sender: Sender): Promise<string> {
  const id = randomBytes(16).toString("hex");
  const called = mute.called();
  const request: Partial<SessionRequestPayload> = {
    id,
    connection: "erp",
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
    credential: { form: "plain", user: "svc", password: "a-password", signIn: "sql" },
  };
  await sender.request(request);
  await called;
  return id;
}

const executorsOf = (pid: number): number[] =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        return readFileSync(`/proc/${each}/status`, "utf8").includes(`\nPPid:\t${pid}\n`);
      } catch {
        return false;
      }
    });

/** Processes that are not our children tell nobody of their end, so it is looked for. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8")))
    await delay(5);
}

test("an executor without the permission model exits 78 before anything else", async () => {
  for (const flags of [
    [],
    ["--permission", "--allow-fs-read=*", "--allow-fs-write=*"],
    ["--permission", "--allow-fs-read=*", "--allow-child-process"],
  ]) {
    const child = spawn(process.execPath, [...flags, program.executor], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const said: unknown[] = [];
    child.on("message", (message) => said.push(message));
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 78, flags.join(" "));
    assert.deepEqual(said, []);
  }
});

test("an executor reads its program only, writes nothing and starts nothing", () => {
  // Not Node itself: as an npm package it lies among the modules that an executor of sources may read.
  const asked = [program.executor, site.state, site.caFile, "/usr/bin/env", "/etc/passwd", "/proc/self/environ"];
  const script = `const has = (...right) => process.permission.has(...right);
    console.log(JSON.stringify([...${JSON.stringify(asked)}.map((path) => has("fs.read", path)), has("fs.write"), has("child"), has("worker"), has("addon")]))`;
  const { stdout } = spawnSync(command.execPath, [...command.execArgv, "-e", script], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(stdout), [true, ...Array(9).fill(false)]);
});

test("executors have no environment of ours, no core dumps and no new privileges", {
  skip: !onLinux && "needs /proc",
}, async () => {
  const sender = await open();
  await hang(sender);
  // One that is being started is still one of the tools that wrap it.
  const isNode = (pid: number): boolean =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[1] === "--permission";
  const pids = executorsOf(agent.process.pid!).filter(isNode);
  assert.ok(pids.length >= 1);
  for (const pid of pids) {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    assert.deepEqual(environment.map((entry) => entry.split("=")[0]).sort(), [
      "MALLOC_ARENA_MAX",
      "MALLOC_MMAP_THRESHOLD_",
    ]);
    assert.match(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max core file size\s+0\s+0/m);
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^NoNewPrivs:\s+1$/m);
    assert.doesNotMatch(readFileSync(`/proc/${pid}/cmdline`, "utf8"), /a-password/);
  }
  sender.send(FRAME.cancel, jsonBody({ reason: "test" }));
  const error = (await sender.messages()).at(-1);
  assert.equal(error?.kind === "error" && error.body.code, "request.cancelled");
});

test("a session that hangs is cut at the owner's drain time and told agent.draining; the agent still exits 0", async () => {
  const sender = await open();
  const id = await hang(sender);
  const stopped = agent.stop();
  const error = (await sender.messages()).at(-1);
  assert.equal(error?.kind === "error" && error.body.code, "agent.draining");
  assert.equal(await stopped, 0);
  const end = site.journal().find(({ event, request }) => event === "end" && request === id);
  assert.equal(end?.code, "agent.draining");
  agent = await site.start();
});

test("a killed supervisor takes even a stopped executor with it; the next start ends its journal line", {
  skip: !onLinux && "needs pdeathsig",
}, async () => {
  const sender = await open();
  const id = await hang(sender);
  const pids = executorsOf(agent.process.pid!);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  await agent.stop("SIGKILL");
  await Promise.all(pids.map(gone));
  sender.socket.terminate();
  agent = await site.start();
  const end = site.journal().find(({ event, request }) => event === "end" && request === id);
  assert.equal(end?.code, "agent.interrupted");
  const verified = await site.cli(["journal", "verify", "--state", site.state]);
  assert.equal(verified.code, 0, verified.stdout);
});

test("an executor that grows beyond its memory is killed for it, and the pool replaces it", {
  skip: !onLinux && "needs /proc",
}, async () => {
  const pool = createExecutorPool({ memoryBytes: 16 * 2 ** 20, warm: 1, log: silent, command });
  const executor = pool.take();
  assert.deepEqual(await executor.exited, { exitCode: null, killed: "memory" });
  await pool.close();
});

test("an executor that is told what is not of the list ends", async () => {
  const pool = createExecutorPool({ memoryBytes: 512 * 2 ** 20, warm: 0, log: silent, command });
  const executor = pool.take();
  assert.equal(await executor.ready, true);
  executor.send({ say: "session" } as never);
  assert.deepEqual(await executor.exited, { exitCode: 70, killed: undefined });
  await pool.close();
});
