import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ROUTES } from "@sallyport/cloud/src/access/routes/table.ts";
import { environmentReaders, httpFunctionFaults, listeningCalls, tableWriters } from "./calls.ts";
import { positionsOf, readSources, tokens } from "./source.ts";

const sources = readSources();

describe("the agent opens no listening endpoint", () => {
  it("in this repository", () => assert.deepEqual(listeningCalls(sources), []));
  const planted = [
    "server.listen(0)",
    "server?.listen (0)",
    'server["listen"](0)',
    "http.createServer(onRequest)",
    'import { createServer as make } from "node:net"; make()',
    "new WebSocketServer({ port: 0 })",
    "new WebSocket.Server({ port: 0 })",
    "new net.Server().on('connection', serve)",
    'import { Server } from "node:net"; const server = new Server();',
    'dgram.createSocket("udp4").bind(0)',
    'import { something } from "node:dgram";',
    'const x = await import("node:cluster");',
    'import inspector from "node:inspector"; inspector.open(0)',
  ];
  for (const text of planted) {
    it(`sees ${text}`, () => assert.notDeepEqual(listeningCalls([{ path: "agent/src/a.ts", text }]), []));
  }
  it("sees datagrams anywhere but where they go to one server, and there unless they are connected to it", () => {
    const text = 'import { createSocket } from "node:dgram"; const socket = createSocket("udp4");';
    const connected = `${text} socket.connect(514, address, done);`;
    assert.notDeepEqual(listeningCalls([{ path: "agent/src/datagrams.ts", text }]), []);
    assert.notDeepEqual(listeningCalls([{ path: "agent/src/syslog/other.ts", text: connected }]), []);
    assert.deepEqual(listeningCalls([{ path: "agent/src/datagrams.ts", text: connected }]), []);
    const listens = `${connected} server.listen(0)`;
    assert.notDeepEqual(listeningCalls([{ path: "agent/src/datagrams.ts", text: listens }]), []);
  });
  it("does not see words in comments and texts, nor tests, nor an emulator", () => {
    assert.deepEqual(
      listeningCalls([
        {
          path: "agent/src/a.ts",
          text: '// server.listen(0)\nconst advice = "call server.listen(0)"; listener.bind(x);',
        },
        { path: "agent/src/a.test.ts", text: "server.listen(0)" },
        { path: "test/emulators/a.ts", text: "server.listen(0)" },
      ]),
      [],
    );
  });
});

describe("every HTTP function states that our own check is the only one, and goes through it", () => {
  it("in this repository", () => assert.deepEqual(httpFunctionFaults(sources), []));
  it("and is registered from the table of routes, each of its rows once", () => {
    const served = sources
      .filter(({ path }) => path.startsWith("cloud/src/functions/"))
      .flatMap(({ text }) => {
        const all = tokens(text);
        return ["serve", "serveOpen"].flatMap((call) =>
          positionsOf(all, call, "(").map((at) => all[at + 2]?.value ?? "?"),
        );
      });
    assert.deepEqual(served.sort(), Object.keys(ROUTES).sort());
  });
  it("no two rows are one address", () => {
    const addresses = Object.values(ROUTES).map(({ method, path }) => `${method} ${path.replace(/\{[a-z]+\}/g, "{}")}`);
    assert.deepEqual(
      addresses.filter((address, at) => addresses.indexOf(address) !== at),
      [],
    );
  });
  it("one that is registered elsewhere is seen", () => {
    const text = 'app.http("a", { authLevel: "anonymous", handler: open(work) });';
    const path = "cloud/src/functions/a.ts";
    assert.deepEqual(httpFunctionFaults([{ path, text }]), [`${path}: app.http`]);
  });
  const faultsOf = (fields: string) =>
    httpFunctionFaults([{ path: "cloud/src/serve.ts", text: `app.http("a", { ${fields} });` }]);
  const planted: readonly (readonly [fields: string, fault: string])[] = [
    ['route: "a", handler: open(work)', "authLevel"],
    ['authLevel: "function", handler: open(work)', "authLevel"],
    ["authLevel: level, handler: open(work)", "authLevel"],
    ['/* authLevel: "anonymous" */ handler: open(work)', "authLevel"],
    ['extra: { authLevel: "anonymous" }, handler: open(work)', "authLevel"],
    ['authLevel: "anonymous", handler: async () => open(work)', "handler"],
    ['authLevel: "anonymous", handler: async () => ({ status: 200 })', "handler"],
    ['authLevel: "anonymous"', "handler"],
  ];
  for (const [fields, fault] of planted) {
    it(`sees { ${fields} }`, () => assert.deepEqual(faultsOf(fields), [`cloud/src/serve.ts a: ${fault}`]));
  }
  it("takes one that does both", () => {
    assert.deepEqual(faultsOf('authLevel: "anonymous", handler: guarded(keys, "runs:read", work)'), []);
  });
});

describe("what one file keeps to itself", () => {
  it("one module writes tables", () => assert.deepEqual(tableWriters(sources), ["cloud/src/store/tables.ts"]));
  it("a second writer is seen", () => {
    const text = "await table.upsertEntity(entity)";
    assert.deepEqual(tableWriters([{ path: "cloud/src/pulls/a.ts", text }]), ["cloud/src/pulls/a.ts"]);
    assert.deepEqual(tableWriters([{ path: "cloud/src/pulls/a.ts", text: `// ${text}` }]), []);
  });

  it("the environment is read where settings come from, and nowhere else", () => {
    assert.deepEqual(environmentReaders(sources).sort(), [
      // The agent's command line refuses what could weaken it, Windows says where programs keep their data, and an
      // executor is given a clean environment with no more than Windows needs to start it; a sign-in child, where Kerberos is set up.
      "agent/src/cli/main.ts",
      "agent/src/cli/run.ts",
      "agent/src/config.ts",
      "agent/src/supervisor/executors.ts",
      "agent/src/supervisor/sign-in-child.ts",
      // What OpenSSL itself is told of authorities, which this stands in for.
      "agent/src/system-authorities.ts",
      // What `sallyportctl` is told: where the orchestrator is, and by which key.
      "cloud/src/cli/settings.ts",
      // Hands it to readSettings, once.
      "cloud/src/compose.ts",
    ]);
  });
  it("another reader is seen in every spelling", () => {
    for (const text of [
      "const x = process.env.X",
      'const x = process["env"].X',
      'import { env } from "node:process"; const x = env.X',
    ]) {
      assert.equal(environmentReaders([{ path: "cloud/src/a.ts", text }]).length, 1);
    }
    assert.deepEqual(environmentReaders([{ path: "cloud/src/a.ts", text: '"process.env"; // process.env' }]), []);
  });
});
