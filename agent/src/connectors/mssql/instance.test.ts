/** Named instances, and hosts with several addresses. */
import assert from "node:assert/strict";
import dns from "node:dns";
import { once } from "node:events";
import { syncBuiltinESMExports } from "node:module";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { policy, splitAddress } from "@sallyport/shared/schema/policy.ts";
import { answerOf, startBrowser } from "../../../../test/emulators/tds/browser.ts";
import { startTds } from "../../../../test/emulators/tds/start.ts";
import { makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
import { connectDatagrams } from "../../datagrams.ts";
import type { Target } from "../connector.ts";
import { withSession } from "./connect.ts";
import { portOfInstance, splitInstance } from "./instance.ts";

const LOCAL = "127.0.0.1";
/** Of its own, because clients expect the Browser on one port. */
const HOST = "127.73.11.5";
const never = new AbortController().signal;
const isUnreachable = (error: unknown): boolean =>
  error instanceof SallyportError && error.code === "connection.unreachable";

test("a policy's address is host:port, or host\\instance for SQL Server only", () => {
  assert.deepEqual(splitAddress("sql01\\ERP"), { host: "sql01\\ERP", port: 1434 });
  assert.deepEqual(splitInstance("sql01\\ERP"), { server: "sql01", instance: "ERP" });
  assert.deepEqual(splitInstance("sql01"), { server: "sql01" });
  const takes = (kind: "mssql" | "activeDirectory", address: string): boolean => {
    const both = { kind, address, logins: ["svc"], tls: { mode: "required" }, rules: [] };
    const connection = kind === "mssql" ? { ...both, database: "ERP" } : both;
    return policy.safeParse({ v: 1, connections: { erp: connection } }).success;
  };
  for (const address of ["sql01:1433", "sql01\\ERP", "sql01.corp.example\\SQL$1", "[::1]:1433"]) {
    assert.ok(takes("mssql", address), address);
  }
  const none = ["sql01", "sql01\\", "sql01\\1A", "sql01\\ERP:1433", "sql*\\ERP", "sql01\\A\\B", "\\ERP", "sql01:99999"];
  for (const address of none) assert.ok(!takes("mssql", address), address);
  assert.ok(takes("activeDirectory", "dc1:636"));
  assert.ok(!takes("activeDirectory", "dc1\\ERP"));
});

test("the Browser is asked for the one instance, whose name has no case", async (t) => {
  const browser = await startBrowser({ address: LOCAL, port: 0, instances: { ERP: 57_137, CRM: 57_138 } });
  t.after(browser.close);
  assert.equal(await portOfInstance(LOCAL, "erp", browser.port, never), 57_137);
  assert.deepEqual(browser.asked, [Buffer.from("\x04erp\0", "latin1")]);
});

test("an address that there is no way to is passed over, and closed; with no other one nobody is there", async (t) => {
  const browser = await startBrowser({ address: LOCAL, port: 0, instances: { ERP: 57_137 } });
  t.after(browser.close);
  // The kernel takes no IPv4 address for a socket of IPv6, at once and on every machine, as with no route to an address.
  const noWay = { address: "127.0.0.1", family: 6 };
  let found = [noWay, { address: LOCAL, family: 4 }];
  const { mock } = t.mock.method(dns.promises, "lookup", async () => found);
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  assert.equal(await portOfInstance("sql01", "ERP", browser.port, never), 57_137);
  found = [noWay];
  await assert.rejects(portOfInstance("sql01", "ERP", browser.port, never), isUnreachable);
  await assert.rejects(connectDatagrams(noWay, browser.port), { code: "EINVAL" });
});

test("answers that say nothing of the instance are no answers", async (t) => {
  const good = "ServerName;SQL01;InstanceName;ERP;IsClustered;No;Version;16.0;tcp;1433;;";
  const answers = [
    Buffer.alloc(0),
    Buffer.of(5),
    Buffer.from(good, "latin1"),
    answerOf(good).subarray(0, -1),
    Buffer.concat([answerOf(good), Buffer.of(0)]),
    answerOf(good.replace("ERP", "CRM")),
    answerOf(good.replace("ERP", "tcp")),
    ...["0", "65536", "-1", "1433x", "", "1e3"].map((port) => answerOf(good.replace("1433", port))),
    answerOf(good.replace("tcp", "np")),
    answerOf(good.padEnd(1100, ";")),
  ];
  const browser = await startBrowser({ address: LOCAL, port: 0, instances: {}, answers });
  t.after(browser.close);
  await assert.rejects(portOfInstance(LOCAL, "ERP", browser.port, never), isUnreachable);
  assert.ok(browser.asked.length > 1, "a datagram may be lost, so it asks again");
});

test("nobody there, no such name, and a stop", async () => {
  const gone = await startBrowser({ address: LOCAL, port: 0, instances: {} });
  await gone.close();
  await assert.rejects(portOfInstance(LOCAL, "ERP", gone.port, never), isUnreachable);
  await assert.rejects(portOfInstance("no-such-host.invalid", "ERP", gone.port, never), isUnreachable);
  const stop = new AbortController();
  const asking = portOfInstance(LOCAL, "ERP", gone.port, stop.signal);
  stop.abort(new SallyportError("request.cancelled", "enough"));
  await assert.rejects(asking, /enough/);
});

test("a session with a named instance: its port is found, its certificate is the host's", async (t) => {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: [HOST] });
  const logins = [{ name: "svc", password: "Reader-1", rights: "read" as const }];
  const server = await startTds({ tls, logins, databases: ["ERP"] });
  t.after(() => server.close());
  const listener = await listenOn(HOST, 0);
  t.after(() => void listener.close());
  listener.on("connection", (socket) => {
    const behind = connect(server.port, LOCAL);
    for (const each of [socket, behind]) each.on("error", () => {});
    socket.pipe(behind).pipe(socket);
  });
  const { port } = listener.address() as AddressInfo;
  const browser = await startBrowser({ address: HOST, port: 1434, instances: { ERP: port } });
  t.after(browser.close);
  const address = splitAddress(`${HOST}\\ERP`);
  assert.equal(await withSession(target(address, authority.caPem), 1e6, async () => "open", never), "open");
  assert.ok(server.log.some(({ kind }) => kind === "login"));
});

test("all addresses of a name are tried at once", async (t) => {
  const reached = new Set<string>();
  const first = await listenOn("127.73.11.6", 0);
  const second = await listenOn("127.73.11.7", (first.address() as AddressInfo).port);
  const both = Promise.withResolvers<void>();
  for (const server of [first, second]) {
    t.after(() => void server.close());
    server.on("connection", (socket) => {
      socket.on("error", () => {});
      t.after(() => void socket.destroy());
      reached.add((server.address() as AddressInfo).address);
      if (reached.size === 2) both.resolve();
    });
  }
  const addresses = [first, second].map((server) => ({
    address: (server.address() as AddressInfo).address,
    family: 4,
  }));
  t.mock.method(dns, "lookup", (_name: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(null, addresses),
  );
  const stop = new AbortController();
  const place = { host: "listener.example", port: (first.address() as AddressInfo).port };
  const opening = withSession(target(place, ""), 1e6, async () => "open", stop.signal);
  await both.promise;
  stop.abort();
  await assert.rejects(opening);
});

async function listenOn(address: string, port: number): Promise<Server> {
  const server = createServer().listen(port, address);
  await once(server, "listening");
  return server;
}

const target = (place: { readonly host: string; readonly port: number }, caPem: string): Target => ({
  ...place,
  connection: "erp",
  database: "ERP",
  tls: { mode: "required", caPem },
  credential: { user: "svc", password: "Reader-1", signIn: "sql" },
  refuseOverPrivileged: false,
  requestId: "rq_0123456789abcdef",
});
