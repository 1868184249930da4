import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type Authority, type Certificate, makeAuthority } from "../../tls/certificates.ts";
import type { HostFunction } from "../functions.ts";
import type { InvocationInput, InvocationOutput } from "../rpc.ts";
import { call } from "../test-client.ts";
import { makeRouter } from "./router.ts";
import { type HttpFront, openHttpFront } from "./server.ts";

const keys = { master: "m", function: "f" };
const registered = { metadata: { name: "x", bindings: {} }, callback: () => undefined };
const functions: HostFunction[] = [
  {
    kind: "http",
    name: "echo",
    triggerName: "req",
    registered,
    route: "echo",
    methods: ["POST"],
    authLevel: "anonymous",
  },
  { kind: "timer", name: "tick", triggerName: "timer", registered, schedule: "0 * * * * *", runOnStartup: false },
  {
    kind: "serviceBus",
    name: "work",
    triggerName: "message",
    registered,
    source: { queue: "q" },
    connection: "BUS",
    dataType: "string",
    autoCompleteMessages: undefined,
  },
];

let authority: Authority;
let tls: Certificate;
before(async () => {
  authority = await makeAuthority();
  tls = await authority.issue({ names: ["localhost"] });
});

type Invoke = (input: InvocationInput) => Promise<InvocationOutput>;

/** Opens a front whose every function is `invoke`, and closes it when the test ends. */
async function open(t: { after(act: () => Promise<void>): void }, invoke: Invoke, limits = {}): Promise<HttpFront> {
  const front = await openHttpFront({ tls, port: 0, ...limits });
  t.after(() => front.close());
  const invoker = { invoke: (_fn: unknown, input: InvocationInput) => invoke(input), idle: async () => undefined };
  const router = makeRouter(
    functions.filter((fn) => fn.kind === "http"),
    "api",
  );
  front.serve({ router, functions, invoker, keys });
  return front;
}

const post = (front: HttpFront, path: string, body = "", headers = {}) =>
  call(authority.caPem, front.url + path, { method: "POST", body, headers });

const bodyLength: Invoke = async ({ inputData }) => ({
  returnValue: {
    http: { statusCode: "200", body: { string: String(inputData[0]?.data.http?.body?.bytes?.length ?? 0) } },
  },
});

test("before it has an app the host answers 503", async (t) => {
  const front = await openHttpFront({ tls, port: 0 });
  t.after(() => front.close());
  assert.equal((await call(authority.caPem, front.url)).status, 503);
});

test("a body over the limit is 413 and never reaches the function", async (t) => {
  let invoked = 0;
  const count: Invoke = async (input) => {
    invoked += 1;
    return bodyLength(input);
  };
  const front = await open(t, count, { maxRequestBytes: 4 });
  assert.equal((await post(front, "/api/echo", "12345")).status, 413);
  assert.equal(invoked, 0);
  assert.equal((await post(front, "/api/echo", "1234")).text, "4");
});

test("a body without Content-Length arrives empty", async (t) => {
  const front = await open(t, bodyLength);
  assert.equal((await post(front, "/api/echo", "12345", { "transfer-encoding": "chunked" })).text, "0");
});

test("an answer that takes too long is 502", async (t) => {
  const front = await open(t, () => new Promise(() => undefined), { answerLimitMs: 20 });
  assert.equal((await post(front, "/api/echo")).status, 502);
});

test("a status or header that cannot be sent is 500 with an empty body", async (t) => {
  const front = await open(t, async () => ({
    returnValue: { http: { statusCode: "200", headers: { "x-a": "b\r\nc" } } },
  }));
  const answer = await post(front, "/api/echo");
  assert.equal(answer.status, 500);
  assert.equal(answer.text, "");
});

test("admin routes want the master key, not the function key", async (t) => {
  const front = await open(t, bodyLength);
  for (const path of ["/admin/host/status", "/admin/functions", "/admin/functions/tick", "/admin"]) {
    assert.equal((await post(front, path, "{}")).status, 401);
    assert.equal((await post(front, path, "{}", { "x-functions-key": keys.function })).status, 401);
  }
  const status = await call(authority.caPem, `${front.url}/admin/host/status?code=${keys.master}`);
  assert.equal(status.status, 200);
  assert.equal(JSON.parse(status.text).state, "Running");
});

const RUNS: [name: string, binding: string, shown: (input: InvocationInput) => unknown, expected: unknown][] = [
  ["tick", "timer", ({ inputData }) => JSON.parse(inputData[0]?.data.json ?? "").IsPastDue, false],
  ["work", "message", ({ inputData }) => inputData[0]?.data.string, '{"run":1}'],
  ["ECHO", "req", ({ inputData }) => Buffer.from(inputData[0]?.data.http?.body?.bytes ?? []).toString(), '{"run":1}'],
];

for (const [name, binding, shown, expected] of RUNS) {
  test(`POST /admin/functions/${name} answers 202 and runs it with the input`, async (t) => {
    const seen = Promise.withResolvers<InvocationInput>();
    const front = await open(t, async (input) => {
      seen.resolve(input);
      throw new Error("a failure after 202 is nobody's");
    });
    const body = JSON.stringify({ input: '{"run":1}' });
    assert.equal((await post(front, `/admin/functions/${name}`, body, { "x-functions-key": keys.master })).status, 202);
    const input = await seen.promise;
    assert.equal(input.inputData[0]?.name, binding);
    assert.deepEqual(shown(input), expected);
  });
}

const BAD_RUNS: [what: string, path: string, body: string, status: number][] = [
  ["an unknown function", "/admin/functions/none", "{}", 404],
  ["an unknown admin route", "/admin/host/restart", "{}", 404],
  ["no body", "/admin/functions/tick", "", 400],
  ["a body that is no JSON", "/admin/functions/tick", "{", 400],
  ["an input that is no text", "/admin/functions/tick", '{"input":1}', 400],
];

for (const [what, path, body, status] of BAD_RUNS) {
  test(`${what} is ${status}`, async (t) => {
    const front = await open(t, bodyLength);
    assert.equal((await post(front, path, body, { "x-functions-key": keys.master })).status, status);
  });
}

test("the names of all functions are listed", async (t) => {
  const front = await open(t, bodyLength);
  const list = await call(authority.caPem, `${front.url}/admin/functions`, {
    headers: { "x-functions-key": keys.master },
  });
  assert.deepEqual(JSON.parse(list.text), [{ name: "echo" }, { name: "tick" }, { name: "work" }]);
});
