import assert from "node:assert/strict";
import { test } from "node:test";
import { createCleanup } from "../stack/cleanup.ts";

test("ends come in the opposite order, one that fails holds up none, and a second call repeats nothing", async (t) => {
  const said = t.mock.method(console, "error", () => undefined);
  const cleanup = createCleanup();
  const ended: string[] = [];
  assert.equal(
    cleanup.add("a", (it) => ended.push(it)),
    "a",
  );
  cleanup.add("b", () => Promise.reject(new Error("b fails")));
  cleanup.add("c", (it) => ended.push(it));
  await Promise.all([cleanup.run(), cleanup.run()]);
  await cleanup.run();
  assert.deepEqual(ended, ["c", "a"]);
  assert.match(String(said.mock.calls[0]?.arguments[0]), /b fails/);
});

test("what is still starting is told, waited for, and ended; what fails to start needs no end", async () => {
  const cleanup = createCleanup();
  const ended: string[] = [];
  const told = new Promise<string>((resolve) => cleanup.signal.addEventListener("abort", () => resolve("slow")));
  void cleanup.starting(told, (it) => ended.push(it));
  const failing = cleanup.starting(Promise.reject(new Error("no")), () => ended.push("failed"));
  await assert.rejects(failing, /no/);
  await cleanup.run();
  assert.deepEqual(ended, ["slow"]);
});

test("what comes after the end is ended too", async () => {
  const cleanup = createCleanup();
  const ended: string[] = [];
  await cleanup.run();
  cleanup.add("late", (it) => ended.push(it));
  await cleanup.run();
  assert.deepEqual(ended, ["late"]);
});
