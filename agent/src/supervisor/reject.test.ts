import assert from "node:assert/strict";
import { test } from "node:test";
import { createReject } from "./reject.ts";

test("addresses that no WebSocket takes throw nothing and cost no place", () => {
  const said: string[] = [];
  const log = { warn: (...words: unknown[]) => said.push(String(words.at(-1))) };
  const reject = createReject({}, log as never);
  for (let each = 0; each < 20; each += 1) reject("wss://127.0.0.1/$hc/a#", 400, "protocol.order");
  assert.deepEqual(new Set(said), new Set(["an accept could not be turned down"]));
});
