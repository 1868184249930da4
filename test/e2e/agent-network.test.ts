/** The agent's sockets while it serves a request: none that listens, and connections to its own systems only. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { endpointsOf, socketFaults } from "../system/network/sockets.ts";
import { childrenOf } from "../system/processes.ts";
import { dial } from "./agent/sender.ts";
import { type RunningAgent, type Site, startSite } from "./agent/site.ts";

const linuxOnly = { skip: process.platform !== "linux" && "needs /proc" };
const sockets = new Set<Socket>();
let site: Site;
let agent: RunningAgent;
/** Takes connections and never says a word, so that a read hangs in it. */
let mute: Server;
let port: number;

before(async () => {
  mute = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(mute, "listening");
  ({ port } = mute.address() as AddressInfo);
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
  site.setPolicy(`
v: 1
connections:
  erp:
    kind: mssql
    address: 127.0.0.1:${port}
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`);
  agent = await site.start();
});
after(async () => {
  await site.close();
  for (const socket of sockets) socket.destroy();
  mute.close();
});

const allowedPorts = (): ReadonlySet<number> =>
  new Set([Number(new URL(site.orchestrator.origin).port), site.relay.controlPort, site.relay.rendezvousPort, port]);

test("during a read supervisor and executors listen nowhere, and reach what they should", linuxOnly, async () => {
  const dialled = await dial(site);
  assert.ok(dialled.ok);
  const called = once(mute, "connection");
  await dialled.sender.request({
    id: randomBytes(16).toString("hex"),
    connection: "erp",
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
    credential: { form: "plain", user: "svc", password: "a-password", signIn: "sql" },
  });
  await called;
  const supervisor = agent.process.pid!;
  const executors = childrenOf(supervisor).flatMap(endpointsOf);
  assert.deepEqual(socketFaults([...endpointsOf(supervisor), ...executors], allowedPorts()), []);
  const reached = new Set(executors.map(({ remote }) => remote.port));
  assert.ok(reached.has(port) && reached.has(site.relay.rendezvousPort));
  // The control channel is the supervisor's alone; it has no connection to the source.
  const supervised = new Set(endpointsOf(supervisor).map(({ remote }) => remote.port));
  assert.deepEqual([supervised.has(site.relay.controlPort), supervised.has(port)], [true, false]);
  dialled.sender.socket.terminate();
});

test("counter-example: a stray connection and a listening port of another process are found", linuxOnly, async () => {
  const trap = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
  await once(trap, "listening");
  const stray = (trap.address() as AddressInfo).port;
  const code = `const net = require("net"); net.connect(${stray}, "127.0.0.1", () => net.createServer().listen(0, "127.0.0.1", () => console.log("up")))`;
  const planted: ChildProcess = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await once(planted.stdout!, "data");
    const faults = socketFaults(endpointsOf(planted.pid!), allowedPorts()).sort();
    assert.equal(faults.length, 2);
    assert.equal(faults[0], `is connected to 127.0.0.1:${stray}`);
    assert.match(faults[1]!, /^listens on tcp 127\.0\.0\.1:/);
  } finally {
    planted.kill("SIGKILL");
    await once(planted, "close");
    trap.close();
  }
});
