import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceBusReceivedMessage } from "@azure/service-bus";
import type { ServiceBusFunction } from "../functions.ts";
import { handleMessage } from "./listener.ts";

const fn: ServiceBusFunction = {
  kind: "serviceBus",
  name: "work",
  triggerName: "m",
  registered: { metadata: { name: "work", bindings: {} }, callback: () => undefined },
  source: { queue: "slices" },
  connection: "BUS",
  dataType: "string",
  autoCompleteMessages: undefined,
};
const message = { body: Buffer.from("{}"), messageId: "m1" } as ServiceBusReceivedMessage;

async function settle(act: () => Promise<object>, autoComplete = true, refuses = false): Promise<string[]> {
  const done: string[] = [];
  const note = (what: string) => async () => {
    done.push(what);
    if (refuses) throw new Error("the lock is lost");
  };
  const settler = { completeMessage: note("complete"), abandonMessage: note("abandon") };
  await handleMessage(fn, message, settler, { invoke: act }, autoComplete);
  return done;
}

const returns = async () => ({});
const throws = async () => {
  throw new Error("the handler failed");
};

test("a message is completed when its function returns", async () =>
  assert.deepEqual(await settle(returns), ["complete"]));
test("it is abandoned when the function throws", async () => assert.deepEqual(await settle(throws), ["abandon"]));
test("without autoCompleteMessages it is left alone", async () => assert.deepEqual(await settle(returns, false), []));
test("a failing one is abandoned even then", async () => assert.deepEqual(await settle(throws, false), ["abandon"]));
test("a settlement that fails does no harm", async () => {
  assert.deepEqual(await settle(returns, true, true), ["complete"]);
  assert.deepEqual(await settle(throws, true, true), ["abandon"]);
});
