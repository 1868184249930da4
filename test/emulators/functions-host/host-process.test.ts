import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Authority, type Certificate, makeAuthority } from "../tls/certificates.ts";
import { startFunctionsHost } from "./start.ts";
import { call } from "./test-client.ts";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

let authority: Authority;
let tls: Certificate;
before(async () => {
  authority = await makeAuthority();
  tls = await authority.issue({ names: ["localhost"] });
});

type Ending = { after(act: () => Promise<unknown>): void };

async function start(t: Ending, name: string, more: Partial<Parameters<typeof startFunctionsHost>[0]> = {}) {
  const host = await startFunctionsHost({ app: fixture(name), tls, ...more });
  t.after(() => host.close());
  return host;
}

test("a bundle in CommonJS is an app as well", async (t) => {
  const host = await start(t, "bundle");
  assert.equal((await call(authority.caPem, `${host.url}/hello/you`)).text, "hello you");
  assert.equal((await call(authority.caPem, `${host.url}/api/hello/you`)).status, 404);
});

const REFUSED: [what: string, app: string, message: RegExp][] = [
  [
    "an app that throws while loading",
    "broken",
    /unable to load entry point "functions\/broken\.ts": .*SALLYPORT_EXAMPLE is missing/,
  ],
  [
    "a Service Bus trigger without the extension bundle",
    "unbundled",
    /'serviceBusTrigger' is not registered.*extensionBundle/,
  ],
  ["a setting that is missing", "timers", /'ticks' function is in error: '%TICKS%' does not resolve to a value/],
  ["a Service Bus trigger without a connection", "messages", /'%QUEUE%' does not resolve|SERVICEBUS/],
  ["a folder without an app", "none", /no readable host\.json/],
];

for (const [what, app, message] of REFUSED) {
  test(`${what} stops the host from starting, and it says why`, async () => {
    await assert.rejects(startFunctionsHost({ app: fixture(app), tls }), message);
  });
}

test("no key file is left behind", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "host-process-"));
  const usual = process.env.TMPDIR;
  process.env.TMPDIR = folder; // one that no other test uses meanwhile
  t.after(async () => {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    await rm(folder, { recursive: true });
  });
  await start(t, "bundle");
  await assert.rejects(startFunctionsHost({ app: fixture("broken"), tls }));
  assert.deepEqual(await readdir(folder), []);
});

test("hooks run around every invocation, timers run by their settings, a failing one does no harm", async (t) => {
  const host = await start(t, "timers", { env: { TICKS: "* * * * * *" } });
  await host.line(/hook appStart/);
  await host.line(/hook before atStart/);
  await host.line(/hook after Error: atStart always fails/);
  const tick = JSON.parse(/tick (\{.*\})/.exec(await host.line(/tick \{/))?.[1] ?? "");
  assert.deepEqual(Object.keys(tick), ["schedule", "scheduleStatus", "isPastDue"]);
  assert.deepEqual(tick.schedule, { adjustForDST: true });
  assert.deepEqual(Object.keys(tick.scheduleStatus), ["last", "next", "lastUpdated"]);
  assert.deepEqual(await host.close(), { code: 0, signal: null });
  assert.ok(host.lines().some((line) => line.includes("hook appTerminate")));
});

test("an admin can run a timer by hand", async (t) => {
  const host = await start(t, "timers", { env: { TICKS: "0 0 0 29 2 *" } });
  const headers = { "x-functions-key": host.masterKey };
  const answer = await call(authority.caPem, `${host.url}/admin/functions/ticks`, {
    method: "POST",
    body: "{}",
    headers,
  });
  assert.equal(answer.status, 202);
  await host.line(/tick \{.*"isPastDue":false/);
});

test("on SIGTERM a running request gets its answer", async (t) => {
  const host = await start(t, "http");
  const answered = call(authority.caPem, `${host.url}/api/slow`);
  await host.line(/slow has begun/);
  assert.deepEqual(await host.close(), { code: 0, signal: null });
  assert.equal((await answered).text, "slow is done");
});

test("one that never ends is given up when draining is over", async (t) => {
  const host = await start(t, "http", { drainSeconds: 0 });
  const answered = call(authority.caPem, `${host.url}/api/hangs`);
  const failed = assert.rejects(answered, /hang up|ECONNRESET/);
  await host.line(/hangs has begun/);
  assert.deepEqual(await host.close(), { code: 0, signal: null });
  await failed;
});

test("the app is told of its end by a hook, after draining and whatever still runs; a signal does not reach it", async (t) => {
  const host = await start(t, "ending", { drainSeconds: 0 });
  const failed = assert.rejects(call(authority.caPem, `${host.url}/api/hangs`), /hang up|ECONNRESET/);
  await host.line(/hangs has begun/);
  assert.deepEqual(await host.close(), { code: 0, signal: null });
  await failed;
  const said = host.lines().filter((line) => /the app (is told|has ended|heard)/.test(line));
  assert.deepEqual(
    said.map((line) => /the app (.*)/.exec(line)![1]),
    ["is told", "has ended"],
  );
});

test("a hook that never ends is given up when the grace is over", async (t) => {
  const host = await start(t, "ending", { graceSeconds: 0.1, env: { HOOK: "hangs" } });
  assert.deepEqual(await host.close(), { code: 0, signal: null });
  const said = host.lines().join("\n");
  assert.match(said, /the app is told[\s\S]*the grace is over/);
  assert.doesNotMatch(said, /the app has ended/);
});

test("a setting says how large a body may be", async (t) => {
  const host = await start(t, "http", { env: { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: "4" } });
  const post = (body: string) => call(authority.caPem, `${host.url}/api/binary`, { method: "POST", body });
  assert.deepEqual([(await post("12345")).status, (await post("1234")).status], [413, 201]);
});

test("a kill is a crash, and exited tells", async (t) => {
  const host = await start(t, "bundle");
  host.kill("SIGKILL");
  assert.deepEqual(await host.exited, { code: null, signal: "SIGKILL" });
  await assert.rejects(host.line(/never/), /exited without a line/);
});
