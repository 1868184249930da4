import assert from "node:assert/strict";
import { test } from "node:test";
import { onControlMessage, renewTokenFrame } from "./control-message.ts";

test("an accept gives address, id and headers", () => {
  const accept = { address: "wss://g1.example/$hc/a", id: "1", connectHeaders: { Host: "x" }, remoteEndpoint: {} };
  assert.deepEqual(onControlMessage(JSON.stringify({ accept })), {
    do: "accept",
    address: accept.address,
    id: "1",
    headers: { Host: "x" },
  });
});

test("an HTTP request is answered with 405 at once", () => {
  const action = onControlMessage(JSON.stringify({ request: { id: "42", method: "POST", body: true } }));
  assert.equal(action.do, "answer");
  const frame = JSON.parse(action.do === "answer" ? action.frame : "") as { response: Record<string, unknown> };
  assert.equal(frame.response.requestId, "42");
  assert.equal(frame.response.statusCode, 405);
});

for (const [what, text] of [
  ["no JSON", "accept"],
  ["a number", "7"],
  ["null", "null"],
  ["an accept without headers", '{"accept":{"address":"wss://x/$hc/a","id":"1"}}'],
  ["an accept with a number for an address", '{"accept":{"address":1,"id":"1","connectHeaders":{}}}'],
  ["a request without id", '{"request":{"address":"wss://x/$hc/a"}}'],
  ["too large", `{"accept":"${"x".repeat(128 * 1024)}"}`],
] as const) {
  test(`${what} is ignored and does not throw`, () => assert.equal(onControlMessage(text).do, "ignore"));
}

test("a renewed token travels as the relay wants it", () => {
  assert.deepEqual(JSON.parse(renewTokenFrame("t")), { renewToken: { token: "t" } });
});
