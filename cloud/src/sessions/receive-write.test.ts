/** A session that writes: rows out under the agent's credit, and what is told where the answer does not come. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { creditBody, FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import type { ReceiveOptions } from "./receive.ts";
import type { SessionInput } from "./session.ts";
import { batchOf, SCHEMA, session } from "./test-session.ts";

const MIB = 2 ** 20;
const inputOf = (batches: number, rows = 10, bytes = 10): SessionInput => ({
  schema: SCHEMA,
  batches: Array.from({ length: batches }, () => ({ message: batchOf(rows, bytes), rows })),
});
const writing = (t: TestContext, input: SessionInput, unsure: ReceiveOptions["unsure"] = "after input") =>
  session(t, {}, {}, { input, unsure });
const settled = async (): Promise<void> => {
  for (let step = 0; step < 50; step++) await turn();
};

test("nothing is sent before the agent's credit; then schema, batches and an end that counts them", async (t) => {
  const one = writing(t, inputOf(3));
  await settled();
  assert.equal(one.sentOf(FRAME.inputSchema).length, 0);
  one.say(FRAME.credit, creditBody(MIB));
  await settled();
  assert.deepEqual([one.sentOf(FRAME.inputSchema).length, one.sentOf(FRAME.inputBatch).length], [1, 3]);
  const [end] = one.sentOf(FRAME.inputEnd);
  assert.deepEqual(JSON.parse(String(end?.body)), { rows: 30, batches: 3 });
  one.end();
  assert.equal((await one.receiving.outcome).ok, true);
});

test("rows wait for credit, and are made only as they are sent", async (t) => {
  let made = 0;
  async function* slowly() {
    for (; made < 10; made++) yield { message: batchOf(1, 100_000), rows: 1 };
  }
  const one = writing(t, { schema: SCHEMA, batches: slowly() });
  one.say(FRAME.credit, creditBody(250_000));
  await settled();
  assert.equal(one.sentOf(FRAME.inputBatch).length, 2);
  assert.equal(made, 2);
  one.say(FRAME.credit, creditBody(5 * MIB));
  await settled();
  assert.equal(one.sentOf(FRAME.inputEnd).length, 1);
  one.end();
  await one.receiving.outcome;
});

test("a session lost before the end of the rows may be repeated; after it nobody knows", async (t) => {
  const early = writing(t, inputOf(3, 10, 100_000));
  early.say(FRAME.credit, creditBody(MIB));
  await settled();
  early.receiving.closed();
  const lost = await early.receiving.outcome;
  assert.equal(!lost.ok && lost.code, "protocol.truncated");
});

for (const [what, unsure, code] of [
  ["after the end of its rows", "after input", "write.outcome_unknown"],
  ["of a write with an idempotency key", "never", "protocol.truncated"],
  ["of a call, at any time", "always", "write.outcome_unknown"],
] as const) {
  test(`a session lost ${what} is ${code}`, async (t) => {
    const one = writing(t, inputOf(1), unsure);
    one.say(FRAME.credit, creditBody(MIB));
    await settled();
    one.receiving.closed();
    const outcome = await one.receiving.outcome;
    assert.equal(!outcome.ok && outcome.code, code);
  });
}

test("an agent's own word counts: a refusal, a cancel that came too late, and that it does not know either", async (t) => {
  const error = (code: string) => jsonBody({ code, message: "m", retryable: false, detail: {} });
  for (const [told, expected] of [
    ["sql.constraint", "sql.constraint"],
    ["write.outcome_unknown", "write.outcome_unknown"],
  ] as const) {
    const one = writing(t, inputOf(1));
    one.say(FRAME.credit, creditBody(MIB));
    await settled();
    one.say(FRAME.error, error(told));
    const outcome = await one.receiving.outcome;
    assert.equal(!outcome.ok && outcome.code, expected);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
  const unsure = writing(t, inputOf(1));
  unsure.say(FRAME.credit, creditBody(MIB));
  await settled();
  unsure.controller.abort();
  unsure.say(FRAME.error, error("write.outcome_unknown"));
  const outcome = await unsure.receiving.outcome;
  assert.equal(!outcome.ok && outcome.code, "write.outcome_unknown");
});

test("rows whose source fails end the session before anything can be committed", async (t) => {
  async function* broken(): AsyncGenerator<never> {
    yield* [];
    throw new Error("the store is gone");
  }
  const one = writing(t, { schema: SCHEMA, batches: broken() });
  one.say(FRAME.credit, creditBody(MIB));
  await assert.rejects(one.receiving.outcome, /the store is gone/);
  assert.equal(one.sentOf(FRAME.inputEnd).length, 0);
});
