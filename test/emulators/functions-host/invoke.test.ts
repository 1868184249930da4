import assert from "node:assert/strict";
import { test } from "node:test";
import { makeInvoker } from "./invoke.ts";
import type { FunctionCallback, ProgrammingModel } from "./rpc.ts";

/** A model that passes the one input on and returns the result as a string. */
const model: ProgrammingModel = {
  name: "plain",
  version: "1",
  getCapabilities: async (capabilities) => capabilities,
  getInvocationModel: (core) => ({
    getArguments: async () => ({ context: core.invocationId, inputs: [core.request.inputData[0]?.data.string] }),
    invokeFunction: async (context, inputs, callback) => callback(...inputs, context),
    getResponse: async (_context, result) => ({ returnValue: { string: String(result) } }),
  }),
};

const fn = (callback: FunctionCallback) => ({ metadata: { name: "fn", bindings: {} }, callback });
const input = { inputData: [{ name: "in", data: { string: "hello" } }], triggerMetadata: {} };

test("the handler gets the trigger's value and its result comes back", async () => {
  const { invoke } = makeInvoker({ model, functionTimeoutMs: 60_000 });
  assert.deepEqual(
    await invoke(
      fn((text) => `${text}!`),
      input,
    ),
    { returnValue: { string: "hello!" } },
  );
});

test("what the handler throws is what the caller gets, also when it is nothing", async () => {
  const { invoke } = makeInvoker({ model, functionTimeoutMs: undefined });
  const fault = new Error("fault");
  await assert.rejects(
    invoke(
      fn(() => Promise.reject(fault)),
      input,
    ),
    fault,
  );
  await assert.rejects(
    invoke(
      fn(() => Promise.reject(undefined)),
      input,
    ),
    /failed without an error/,
  );
});

test("a handler over functionTimeout has failed", async () => {
  const { invoke } = makeInvoker({ model, functionTimeoutMs: 5 });
  await assert.rejects(
    invoke(
      fn(() => new Promise(() => undefined)),
      input,
    ),
    /Timeout of 5 ms exceeded by function fn/,
  );
});

test("idle waits for what runs, also for what begins meanwhile", async () => {
  const { invoke, idle } = makeInvoker({ model, functionTimeoutMs: undefined });
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  void invoke(
    fn(async () => {
      await first.promise;
      order.push("first");
      void invoke(
        fn(async () => void order.push("second")),
        input,
      );
    }),
    input,
  );
  const waiting = idle().then(() => order.push("idle"));
  first.resolve();
  await waiting;
  assert.deepEqual(order, ["first", "second", "idle"]);
});
