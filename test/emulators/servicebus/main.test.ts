import assert from "node:assert/strict";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { bodiesIn, configOf, connect, KEYS } from "./real-client/open.ts";
import { spawnEmulator, startProcess } from "./real-client/process.ts";

const OPTIONS = { config: configOf({ Queues: [{ Name: "q" }] }), keys: KEYS };

test("the process says where it listens, serves, and ends on SIGTERM with connections open", async (t) => {
  const emulator = await startProcess(t, OPTIONS);
  const client = connect(t, emulator.connectionString);
  await client.createSender("q").sendMessages({ body: 1 });
  assert.deepEqual(await bodiesIn({ ...emulator, close: async () => {} }, "q"), [1]);
  const exit = once(emulator.child, "exit");
  emulator.child.kill("SIGTERM");
  assert.deepEqual(await exit, [0, null]);
});

test("the process ends when its stdin closes", async (t) => {
  const emulator = await startProcess(t, OPTIONS);
  const exit = once(emulator.child, "exit");
  emulator.child.stdin!.end();
  assert.deepEqual(await exit, [0, null]);
});

test("a configuration that asks for what is not emulated ends it with the reason", async (t) => {
  const child = spawnEmulator(t);
  const exit = once(child, "exit");
  const complaint = text(child.stderr!);
  const config = configOf({ Queues: [{ Name: "q", Properties: { RequiresSession: true as never } }] });
  child.stdin!.end(`${JSON.stringify({ ...OPTIONS, config })}\n`);
  assert.notEqual((await exit)[0], 0);
  assert.match(await complaint, /sessions are not emulated/);
});

test("stdin without a configuration is a wrong use", async (t) => {
  const child = spawnEmulator(t);
  const exit = once(child, "exit");
  child.stdin!.end();
  assert.deepEqual(await exit, [64, null]);
});
