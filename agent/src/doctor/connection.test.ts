import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { policy } from "@sallyport/shared/schema/policy.ts";
import { startTds, type Tds } from "../../../test/emulators/tds/start.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { statePaths } from "../state.ts";
import { runChecks } from "./check.ts";
import { connectionChecks } from "./checks.ts";
import { checkConnection } from "./connection.ts";

let server: Tds;
let caPem: string;
before(async () => {
  const authority = await makeAuthority();
  caPem = authority.caPem;
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  server = await startTds({ tls, logins: [], databases: ["ERP"] });
});
after(() => server.close());

function check(
  mode: string,
  { ca = caPem as string | undefined, host = "localhost", port = server.port, ms = 60_000 } = {},
) {
  return checkAddress(`${host}:${port}`, mode, ca, ms);
}

function checkAddress(address: string, mode: string, ca: string | undefined, ms = 60_000) {
  const { erp } = policy.parse({
    v: 1,
    connections: { erp: { kind: "mssql", address, database: "ERP", tls: { mode }, logins: ["svc"], rules: [] } },
  }).connections;
  return runChecks([checkConnection("erp", erp!, ca)], ms).then(([found]) => found!);
}

for (const mode of ["required", "strict"]) {
  test(`${mode}: a server whose certificate is trusted is ok, and no login is sent`, async () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      const found = await check(mode, { host });
      assert.equal(found.check, "connection");
      assert.deepEqual([found.component, found.target, found.status], ["erp", `${host}:${server.port}`, "ok"]);
      assert.match(found.details, /^DNS \d+, TCP \d+, TLS \d+ ms; login not tested$/);
      assert.equal(found.advice, undefined);
    }
    assert.equal(server.log.filter(({ kind }) => kind === "login").length, 0);
  });

  test(`${mode}: a certificate of somebody else's is named, with what to do`, async () => {
    const found = await check(mode, { ca: (await makeAuthority()).caPem });
    assert.equal(found.status, "FAIL");
    assert.match(found.details, /^TLS (issued by ".*", )?not trusted: [A-Z_]+$/);
    assert.match(found.advice ?? "", /tls\.ca/);
  });
}

test("a certificate that names another server is not trusted, one that is taken unseen is a warning", async () => {
  const authority = await makeAuthority();
  const off = server.faults.add(
    { kind: "certificate", ...(await authority.issue({ names: ["other.example"] })) },
    { times: 1 },
  );
  const found = await check("required", { ca: authority.caPem });
  off();
  assert.match(found.details, /ERR_TLS_CERT_ALTNAME_INVALID/);
  assert.equal((await check("trustAnyCertificate")).status, "warn");
});

async function checkDirectory(port: number, mode: string, ca: string | undefined = caPem) {
  const { corp } = policy.parse({
    v: 1,
    connections: {
      corp: { kind: "activeDirectory", address: `localhost:${port}`, tls: { mode }, logins: ["svc"], rules: [] },
    },
  }).connections;
  const [found] = await runChecks([checkConnection("corp", corp!, ca)], 60_000);
  return found!;
}

test("every connection of the policy has its check, of whichever kind", (t) => {
  const root = mkdtempSync(join(tmpdir(), "sallyport-doctor-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const paths = statePaths(root);
  const every = "logins: [a], rules: [], tls: { mode: required }";
  const corp = `{ kind: activeDirectory, address: "dc1.corp.example:636", ${every} }`;
  const erp = `{ kind: mssql, address: "sql01:1433", database: E, ${every} }`;
  writeFileSync(paths.policy, `v: 1\nconnections:\n  corp: ${corp}\n  erp: ${erp}\n`);
  const checks = connectionChecks(paths, new Date());
  assert.deepEqual(
    checks.map(({ component }) => component),
    ["corp", "erp"],
  );
});

test("a directory: LDAPS is looked at with its certificate, and not a byte of a login is sent", async () => {
  const authority = await makeAuthority();
  const heard: Buffer[] = [];
  const ldaps = createTlsServer(await authority.issue({ names: ["localhost"] }), (socket) => {
    socket.on("data", (bytes) => heard.push(bytes)).on("error", () => undefined);
  });
  ldaps.listen(0, "127.0.0.1");
  await once(ldaps, "listening");
  const { port } = ldaps.address() as AddressInfo;
  const trusted = await checkDirectory(port, "required", authority.caPem);
  const strange = await checkDirectory(port, "required");
  ldaps.close();
  await once(ldaps, "close");
  assert.deepEqual([trusted.check, trusted.status], ["connection", "ok"]);
  assert.match(trusted.details, /^DNS \d+, TCP \d+, TLS \d+ ms; login not tested$/);
  assert.equal(strange.status, "FAIL");
  assert.match(strange.details, /^TLS (issued by ".*", )?not trusted: [A-Z_]+$/);
  assert.deepEqual(heard, []);
});

test("a directory: what is no LDAPS fails at TLS, and where TLS comes later only the port is looked at", async () => {
  await withServer(
    (socket) => socket.once("data", () => socket.end()),
    async (port) => {
      const clear = await checkDirectory(port, "required");
      assert.equal(clear.status, "FAIL");
      assert.match(clear.details, /^TLS: /);
      assert.match(clear.advice ?? "", /LDAPS/);
      const later = await checkDirectory(port, "startTls");
      assert.equal(later.status, "ok");
      assert.match(later.details, /^DNS \d+, TCP \d+ ms; login and startTls not tested$/);
    },
  );
});

async function withServer<T>(answer: (socket: Socket) => void, work: (port: number) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  const other: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    answer(socket);
  });
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  try {
    return await work((other.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    other.close();
    await once(other, "close");
  }
}

test("each step that fails says which one it was, and advises", async () => {
  const cases: readonly (readonly [what: string, answer: (socket: Socket) => void, ms: number, details: RegExp])[] = [
    ["closes", (socket) => socket.end(), 60_000, /^prelogin: the connection ended$/],
    [
      "speaks HTTP",
      (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad\r\n\r\n")),
      60_000,
      /^prelogin: /,
    ],
    ["is silent", () => undefined, 300, /^prelogin: no answer in time$/],
    [
      "does not encrypt",
      (socket) =>
        socket.once("data", () => socket.write(Buffer.from([4, 1, 0, 15, 0, 0, 1, 0, 1, 0, 6, 0, 1, 0xff, 2]))),
      60_000,
      /^the server does not encrypt$/,
    ],
  ];
  for (const [what, answer, ms, details] of cases) {
    const found = await withServer(answer, (port) => check("required", { host: "127.0.0.1", port, ms }));
    assert.equal(found.status, "FAIL", what);
    assert.match(found.details, details, what);
    assert.ok((found.advice ?? "").length > 20, what);
  }
  const free = await withServer(
    () => undefined,
    async (port) => port,
  );
  assert.match((await check("required", { host: "127.0.0.1", port: free })).details, /^TCP: ECONNREFUSED$/);
  const nowhere = await check("required", { host: "no-such-host.invalid", ms: 5_000 });
  assert.match(nowhere.details, /^DNS: /);
});

test("a named instance is asked for at its host; where nobody answers that is the step", async () => {
  const found = await checkAddress("127.0.0.1\\NOBODY", "required", caPem);
  assert.equal(found.status, "FAIL");
  assert.match(found.details, /^SQL Server Browser: /);
  assert.match(found.advice ?? "", /UDP 1434/);
});
