/** What goes wrong with one executor ends its own session with its own code, and no other's. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { endpointsOf } from "../../system/network/sockets.ts";
import { childrenOf } from "../../system/processes.ts";
import { dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const linuxOnly = { skip: process.platform !== "linux" && "needs /proc" };
const sockets = new Set<Socket>();
let site: Site;
let agent: RunningAgent;
/** Takes connections and never says a word: a server, or a driver, that hangs. */
let mute: Server;

before(async () => {
  mute = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(mute, "listening");
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  site.setPolicy(`
v: 1
limits: { sessionsPerMinute: 600 }
connections:
  erp:
    kind: mssql
    address: 127.0.0.1:${(mute.address() as { port: number }).port}
    database: ERP
    tls: { mode: required }
    logins: [svc]
    limits: { sessions: 8, failedLogins: 99/1h }
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`);
  site.addConfig("maxSessions: 8\ndrainSeconds: 5\n");
  agent = await site.start();
});
after(async () => {
  await site.close();
  for (const socket of sockets) socket.destroy();
  mute.close();
});

interface Hanging {
  readonly sender: Sender;
  readonly id: string;
  readonly executor: number;
}

/** A read that hangs in the mute server, and the process that does it. */
async function hang(seconds?: number): Promise<Hanging> {
  const dialled = await dial(site);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  const id = randomBytes(16).toString("hex");
  const called = once(mute, "connection") as Promise<[Socket]>;
  await dialled.sender.request({
    id,
    connection: "erp",
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
    credential: { form: "plain", user: "svc", password: "a-password", signIn: "sql" },
    ...(seconds === undefined ? {} : { limits: { ...DEFAULT_LIMITS, seconds } }),
  });
  const ended = dialled.sender.closed.then((): never => {
    throw new Error("the session ended before it hung");
  });
  ended.catch(() => {});
  const [{ remotePort }] = await Promise.race([called, ended]);
  const executor = childrenOf(agent.process.pid!).find((pid) =>
    endpointsOf(pid).some(({ local }) => local.port === remotePort),
  );
  assert.ok(executor !== undefined);
  return { sender: dialled.sender, id, executor };
}

const endOf = async ({ id }: Hanging) =>
  (await site.journaled(({ event, request }) => event === "end" && request === id)).code;

/** The other session is as it was: it is still there, and answers a cancel. */
async function cancelled(hanging: Hanging): Promise<void> {
  const { sender, id } = hanging;
  assert.ok(!site.journal().some(({ event, request }) => event === "end" && request === id));
  sender.send(FRAME.cancel, jsonBody({ reason: "test" }));
  const last = (await sender.messages()).at(-1);
  assert.equal(last?.kind === "error" && last.body.code, "request.cancelled");
  assert.equal(await endOf(hanging), "request.cancelled");
}

for (const [signal, code] of [
  ["SIGKILL", "executor.crashed"],
  ["SIGSEGV", "executor.crashed"],
  ["SIGTERM", "executor.crashed"],
  // How V8 ends a process whose heap is full.
  ["SIGABRT", "limit.memory"],
] as const) {
  test(`an executor that ends by ${signal} is ${code}; the one beside it goes on`, linuxOnly, async () => {
    const [victim, other] = [await hang(), await hang()];
    process.kill(victim.executor, signal);
    assert.equal(await endOf(victim), code);
    assert.ok([1006, 1011].includes(await victim.sender.closed));
    await cancelled(other);
    assert.equal(agent.process.exitCode, null);
  });
}

test("a query without end is limit.time once its seconds are over; the one beside it goes on", linuxOnly, async () => {
  const [endless, other] = [await hang(1), await hang()];
  const last = (await endless.sender.messages()).at(-1);
  assert.equal(last?.kind === "error" && last.body.code, "limit.time");
  assert.equal(await endOf(endless), "limit.time");
  await cancelled(other);
});

test("an executor that stands still is killed, and its session ends with limit.time", linuxOnly, async () => {
  const frozen = await hang(5);
  process.kill(frozen.executor, "SIGSTOP");
  // The supervisor's own patience: the session's seconds, and 30 more for what is hung.
  assert.equal(await endOf(frozen), "limit.time");
  await cancelled(await hang());
  frozen.sender.socket.terminate();
});

test(
  "SIGTERM with two sessions, one that ends and one that hangs: both have their end, exit 0",
  linuxOnly,
  async () => {
    const [first, second] = [await hang(), await hang()];
    const stopped = agent.stop();
    await site.journaled(({ event }) => event === "drain");
    await cancelled(first);
    const last = (await second.sender.messages()).at(-1);
    assert.equal(last?.kind === "error" && last.body.code, "agent.draining");
    assert.equal(await stopped, 0);
    assert.deepEqual([await endOf(first), await endOf(second)], ["request.cancelled", "agent.draining"]);
    assert.equal(site.journal().at(-1)?.event, "stop");
    assert.deepEqual(childrenOf(agent.process.pid!), []);
  },
);
