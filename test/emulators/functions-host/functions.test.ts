import assert from "node:assert/strict";
import { test } from "node:test";
import { readFunction } from "./functions.ts";
import { makeRouter } from "./http/router.ts";
import type { BindingInfo } from "./rpc.ts";
import { StartProblem } from "./start-problem.ts";

const settings = { QUEUE: "slices", TICKS: "0 * * * * *", EMPTY: "" };

function read(trigger: BindingInfo, more: Record<string, BindingInfo> = {}, name = "work") {
  return readFunction({ metadata: { name, bindings: { trigger, ...more } }, callback: () => undefined }, settings);
}

function readHttp(name: string, route: string, methods = ["GET"]) {
  const fn = read({ type: "httpTrigger", methods, authLevel: "anonymous", route }, {}, name);
  assert.equal(fn.kind, "http");
  return fn;
}

test("an HTTP function's route defaults to its name", () => {
  const fn = read({ type: "httpTrigger", methods: ["get", "POST"], authLevel: "Function" });
  assert.equal(fn.kind, "http");
  assert.equal(fn.route, "work");
  assert.deepEqual(fn.methods, ["GET", "POST"]);
  assert.equal(fn.authLevel, "function");
});

test("settings between percent signs are put in", () => {
  const queue = read({ type: "serviceBusTrigger", queueName: "%QUEUE%-1", connection: "BUS" });
  assert.equal(queue.kind, "serviceBus");
  assert.deepEqual(queue.source, { queue: "slices-1" });
  const timer = read({ type: "timerTrigger", schedule: "%TICKS%" });
  assert.equal(timer.kind, "timer");
  assert.equal(timer.schedule, "0 * * * * *");
});

test("a topic needs its subscription", () => {
  const fn = read({ type: "serviceBusTrigger", topicName: "events", subscriptionName: "all", connection: "BUS" });
  assert.equal(fn.kind, "serviceBus");
  assert.deepEqual(fn.source, { topic: "events", subscription: "all" });
  assert.throws(() => read({ type: "serviceBusTrigger", topicName: "events", connection: "BUS" }), /subscriptionName/);
});

const REFUSED: [what: string, trigger: BindingInfo, message: RegExp][] = [
  ["a missing setting", { type: "timerTrigger", schedule: "%NOWHERE%" }, /'%NOWHERE%' does not resolve/],
  ["an empty setting", { type: "timerTrigger", schedule: "%EMPTY%" }, /'%EMPTY%' does not resolve/],
  ["a timer without a schedule", { type: "timerTrigger" }, /schedule/],
  ["another trigger", { type: "blobTrigger", path: "x" }, /"blobTrigger" is not supported/],
  ["a route below admin", { type: "httpTrigger", methods: [], authLevel: "anonymous", route: "admin/x" }, /conflicts/],
  ["an unknown level", { type: "httpTrigger", methods: [], authLevel: "user" }, /authLevel/],
  ["sessions", { type: "serviceBusTrigger", queueName: "q", isSessionsEnabled: true }, /sessions are not supported/],
  ["batches", { type: "serviceBusTrigger", queueName: "q", cardinality: "many" }, /cardinality/],
];

for (const [what, trigger, message] of REFUSED) {
  test(`${what} is refused, with the function's name`, () => {
    assert.throws(
      () => read(trigger),
      (error) => error instanceof StartProblem && /'work' function/.test(error.message) && message.test(error.message),
    );
  });
}

test("output bindings other than the HTTP answer are refused", () => {
  const trigger = { type: "timerTrigger", schedule: "0 * * * * *" };
  assert.throws(
    () => read(trigger, { out: { type: "serviceBus", direction: "out" } }),
    /"serviceBus" is not supported/,
  );
});

test("a bad name is refused", () => {
  assert.throws(() => read({ type: "timerTrigger", schedule: "0 * * * * *" }, {}, "1st"), /name must start/);
});

test("the router finds the most specific route and its method", () => {
  const router = makeRouter(
    [readHttp("any", "{name}"), readHttp("one", "one"), readHttp("onePost", "one", ["POST"])],
    "api",
  );
  assert.equal(router("GET", "/api/one")?.fn.name, "one");
  assert.equal(router("POST", "/api/one")?.fn.name, "onePost");
  assert.deepEqual(router("GET", "/api/two")?.params, { name: "two" });
  assert.equal(router("DELETE", "/api/one"), undefined);
  assert.equal(router("GET", "/one"), undefined);
});

test("two functions with one route and method are refused, and so is a bad route", () => {
  assert.throws(() => makeRouter([readHttp("a", "x"), readHttp("b", "X")], "api"), /'b' function .* 'a'/);
  assert.throws(() => makeRouter([readHttp("a", "{x?}/y")], "api"), /'a' function .* may only come last/);
});
