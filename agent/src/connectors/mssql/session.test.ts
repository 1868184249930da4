import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { TYPES } from "tedious";
import { startTds } from "../../../../test/emulators/tds/start.ts";
import { makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
import { createRecorder } from "./test-output.ts";
import { REQUEST_ID, readTable, startTestServer, type TestServer } from "./test-server.ts";

const ROWS = 20_000;
let server: TestServer;

before(async () => {
  server = await startTestServer();
  await server.admin(`
    CREATE TABLE dbo.Big (Id bigint NOT NULL PRIMARY KEY, Name nvarchar(40) NULL, Amount int NOT NULL);
    CREATE TABLE dbo.Heap (A int NULL);
    INSERT INTO dbo.Heap VALUES (1), (NULL), (3)`);
  await server.fill(
    "dbo.Big",
    [
      ["Id", TYPES.BigInt, { nullable: false }],
      ["Name", TYPES.NVarChar, { nullable: true, length: 40 }],
      ["Amount", TYPES.Int, { nullable: false }],
    ],
    oneTo(ROWS).map((id) => [String(id), `name ${id}`, id % 1000]),
  );
});
after(() => server.close());

const isCode = (code: ErrorCode) => (error: unknown) => {
  assert.ok(error instanceof SallyportError, String(error));
  assert.equal(error.code, code);
  return true;
};
const ids = (rows: readonly (readonly unknown[])[]): number[] => rows.map(([id]) => Number(id));
function oneTo(n: number): number[] {
  return Array.from({ length: n }, (_, at) => at + 1);
}

test("an error of the output is the one that is reported", async () => {
  const output = createRecorder({
    beforeFlush: () => {
      throw new SallyportError("limit.rows", "too many rows");
    },
  });
  await assert.rejects(readTable(server, "dbo.Big", output), isCode("limit.rows"));
});

test("the query waits while the output is busy", async () => {
  const busy = async () => {
    // Time enough for packets that are on their way.
    for (let turn = 0; turn < 20; turn++) await setImmediate();
  };
  const output = createRecorder({ batchBytes: 64 * 1024, beforeFlush: busy });
  await readTable(server, "dbo.Big", output);
  assert.deepEqual(ids(output.rows), oneTo(ROWS));
});

test("a request cancelled during the login ends there", async () => {
  const controller = new AbortController();
  const reason = new SallyportError("limit.time", "too late");
  const off = server.server.faults.add({ kind: "loginDelay", delayMs: 60_000 }, { times: 1 });
  const reading = readTable(server, "dbo.Heap", createRecorder(), { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(reading, isCode("limit.time"));
  off();
  const aborted = AbortSignal.abort(reason);
  await assert.rejects(readTable(server, "dbo.Heap", createRecorder(), { signal: aborted }), isCode("limit.time"));
});

for (const [what, change, steps] of [
  ["that is right", {}, ["sent", "accepted"]],
  ["with a wrong password", { credential: { user: "svc_sallyport", password: "x", signIn: "sql" } }, ["sent"]],
  ["for a database that is not there", { database: "Other" }, ["sent", "accepted"]],
  ["that no TLS protects", { tls: { mode: "required" } }, []],
] as const) {
  test(`a login ${what} is told of: ${steps.join(", ") || "never sent"}`, async () => {
    const told: string[] = [];
    const target = { ...change, onLogin: (step: string) => told.push(step) };
    await readTable(server, "dbo.Heap", createRecorder(), { target }).catch(() => {});
    assert.deepEqual(told, steps);
  });
}

test("a login is told of before it goes out, so one that is cancelled then was sent and not taken", async () => {
  const controller = new AbortController();
  const off = server.server.faults.add({ kind: "loginDelay", delayMs: 60_000 }, { times: 1 });
  const told: string[] = [];
  const onLogin = (step: string): void => {
    told.push(step);
    controller.abort(new SallyportError("request.cancelled", "enough"));
  };
  const reading = readTable(server, "dbo.Heap", createRecorder(), { target: { onLogin }, signal: controller.signal });
  await assert.rejects(reading, isCode("request.cancelled"));
  assert.deepEqual(told, ["sent"]);
  off();
});

test("a request cancelled after the login, before its first statement is answered, ends there", async (t) => {
  const reason = new SallyportError("request.cancelled", "enough");
  const relay = createServer().listen(0, "127.0.0.1");
  await once(relay, "listening");
  t.after(() => void relay.close());
  let mute = (): void => {};
  relay.on("connection", (socket) => {
    const behind = connect(server.target.port, "127.0.0.1");
    for (const each of [socket, behind]) each.on("error", () => {});
    socket.pipe(behind).pipe(socket);
    socket.on("close", () => behind.destroy());
    mute = () => void behind.unpipe(socket);
  });
  for (const isAsked of [true, false]) {
    const controller = new AbortController();
    const onLogin = (step: string): void => {
      if (step !== "accepted") return;
      mute();
      if (isAsked) setTimeout(() => controller.abort(reason));
      else controller.abort(reason);
    };
    const target = { port: (relay.address() as AddressInfo).port, onLogin };
    const reading = readTable(server, "dbo.Heap", createRecorder(), { target, signal: controller.signal });
    await assert.rejects(reading, isCode("request.cancelled"));
  }
});

test("TDS 8: TLS before anything else", async () => {
  const output = createRecorder();
  await readTable(server, "dbo.Heap", output, { target: { tls: { ...server.target.tls, mode: "strict" } } });
  assert.equal(output.rows.length, 3);
});

test("a cancelled request is cancelled at the server", async () => {
  const controller = new AbortController();
  const reason = new SallyportError("request.cancelled", "enough");
  const output = createRecorder({ batchBytes: 64 * 1024, beforeFlush: () => controller.abort(reason) });
  const attentions = () => server.server.log.filter(({ kind }) => kind === "attention").length;
  const before = attentions();
  await assert.rejects(
    readTable(server, "dbo.Big", output, { signal: controller.signal }),
    isCode("request.cancelled"),
  );
  assert.equal(attentions(), before + 1);
});

test("the session shows who it is to the server's administrator", async () => {
  await readTable(server, "dbo.Heap", createRecorder());
  const login = server.server.log.findLast(({ kind }) => kind === "login");
  assert.ok(login?.kind === "login");
  assert.deepEqual([login.application, login.encrypted, login.result], ["sallyport/erp", true, "ok"]);
  const texts = server.server.log.flatMap((entry) => (entry.kind === "batch" ? [entry.text] : []));
  const id = Buffer.from(REQUEST_ID).toString("hex");
  assert.equal(texts.at(-1), `SET LOCK_TIMEOUT 10000; SET DEADLOCK_PRIORITY LOW; SET CONTEXT_INFO 0x${id}`);
});

test("what goes wrong while rows arrive", async (t) => {
  const { faults } = server.server;
  const statement = /FROM \[dbo\]\.\[Big\]/;
  const read = (pace = {}) => readTable(server, "dbo.Big", createRecorder(), { pace });
  const cases: readonly (readonly [string, Parameters<typeof faults.add>[0], ErrorCode])[] = [
    ["a deadlock", { kind: "error", afterRows: 1000, number: 1205 }, "sql.deadlock"],
    ["a reset", { kind: "reset", afterRows: 1000 }, "connection.lost"],
    ["bytes that do not add up", { kind: "wrongLength", afterRows: 1000 }, "connection.lost"],
    ["a server that falls silent", { kind: "stallInRow", afterRows: 1000 }, "sql.timeout"],
  ];
  for (const [what, fault, code] of cases) {
    await t.test(what, async () => {
      const off = faults.add(fault, { statement, times: 1 });
      await assert.rejects(read({ idleMs: 200 }), isCode(code));
      off();
    });
  }
});

test("a huge value is refused before it is held", async () => {
  await server.admin("CREATE TABLE dbo.Huge (Id int NOT NULL PRIMARY KEY, Body nvarchar(max) NOT NULL)");
  await server.admin("INSERT INTO dbo.Huge VALUES (1, N'small')");
  const off = server.server.faults.add(
    { kind: "hugeValue", afterRows: 0, characters: 1_000_000 },
    { statement: /\[Huge\]/, times: 1 },
  );
  const huge = readTable(server, "dbo.Huge", createRecorder({ cellBytes: 1000 }), { limits: { cellBytes: 1000 } });
  await assert.rejects(huge, isCode("limit.bytes"));
  off();
});

test("connections that fail, each with its code", async () => {
  const { target } = server;
  const read = (change: object) => readTable(server, "dbo.Heap", createRecorder(), { target: change });
  const credential = { ...target.credential, password: "wrong" };
  await assert.rejects(read({ credential }), (error) => {
    isCode("connection.login_failed")(error);
    assert.equal((error as SallyportError).detail.number, 18456);
    return true;
  });
  await assert.rejects(read({ database: "Missing" }), isCode("connection.database"));
  const stranger = await makeAuthority();
  await assert.rejects(read({ tls: { mode: "required", caPem: stranger.caPem } }), isCode("connection.tls"));
  await assert.rejects(read({ tls: { mode: "required" } }), isCode("connection.tls"));
  await assert.rejects(
    read({ credential: { ...credential, signIn: "windowsNtlm" } }),
    isCode("connection.windows_login_refused"),
  );
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, "close");
  await assert.rejects(read({ port }), isCode("connection.unreachable"));
});

test("a login that the server took, and then had no place for, is no failed one", async () => {
  const told = async (number: 18456 | 17892 | 40501): Promise<readonly string[]> => {
    const steps: string[] = [];
    const off = server.server.faults.add({ kind: "loginError", number });
    const target = { onLogin: (step: "sent" | "accepted") => void steps.push(step) };
    await assert.rejects(readTable(server, "dbo.Heap", createRecorder(), { target }));
    off();
    return steps;
  };
  assert.deepEqual(await told(18456), ["sent"]);
  for (const number of [17892, 40501] as const) assert.deepEqual(await told(number), ["sent", "accepted"]);
});

test("a server that sends its clients elsewhere is not followed, and is not tried again for it", async (t) => {
  const sent: Socket[] = [];
  const elsewhere = createServer((socket) => sent.push(socket));
  elsewhere.listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  t.after(() => elsewhere.close());
  const { port } = elsewhere.address() as AddressInfo;
  const off = server.server.faults.add({ kind: "route", host: "127.0.0.1", port });
  t.after(off);
  await assert.rejects(readTable(server, "dbo.Heap", createRecorder()), isCode("connection.redirected"));
  assert.deepEqual(sent, []);
});

test("any certificate is taken only where the owner says so", async () => {
  const output = createRecorder();
  await readTable(server, "dbo.Heap", output, { target: { tls: { mode: "trustAnyCertificate" } } });
  assert.equal(output.rows.length, 3);
});

test("a login that could do everything is refused, unless the owner says otherwise", async () => {
  const { administrator } = server;
  const told: string[] = [];
  const target = { credential: administrator, onLogin: (step: string) => told.push(step) };
  await assert.rejects(readTable(server, "dbo.Heap", createRecorder(), { target }), (error) => {
    isCode("connection.over_privileged")(error);
    assert.equal((error as SallyportError).detail.role, "sysadmin");
    return true;
  });
  assert.deepEqual(told, ["sent", "accepted"], "it was the right password");
  const output = createRecorder();
  await readTable(server, "dbo.Heap", output, { target: { ...target, refuseOverPrivileged: false } });
  assert.equal(output.rows.length, 3);

  await server.admin("CREATE LOGIN keeper WITH PASSWORD = 'Keeper-1'; CREATE USER keeper FOR LOGIN keeper");
  await server.admin("ALTER ROLE db_owner ADD MEMBER keeper");
  const credential = { user: "keeper", password: "Keeper-1", signIn: "sql" };
  await assert.rejects(readTable(server, "dbo.Heap", createRecorder(), { target: { credential } }), (error) => {
    isCode("connection.over_privileged")(error);
    assert.equal((error as SallyportError).detail.role, "db_owner");
    return true;
  });
});

for (const scope of ["server", "database"] as const) {
  test(`a login with CONTROL of the ${scope} is refused as one with a role is`, async (t) => {
    const authority = await makeAuthority();
    const login = { name: "steward", password: "Steward-1" };
    const tds = await startTds({
      ...{ port: 0, databases: ["ERP"], logins: [{ ...login, rights: { control: [scope] } }] },
      tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    });
    t.after(() => tds.close());
    const credential = { user: login.name, password: login.password, signIn: "sql" };
    const target = { credential, port: tds.port, tls: { mode: "required", caPem: authority.caPem } } as const;
    await assert.rejects(readTable(server, "dbo.Heap", createRecorder(), { target }), (error) => {
      isCode("connection.over_privileged")(error);
      assert.equal((error as SallyportError).detail.role, `control_${scope}`);
      return true;
    });
  });
}
