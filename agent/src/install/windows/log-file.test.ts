import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLog } from "./log-file.ts";

test("the log is turned by size, keeps so many files, goes on after a restart, and never throws", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-log-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const read = (name: string) => readFileSync(join(folder, "logs", name), "utf8");
  const open = () => openLog(join(folder, "logs"), { maxBytes: 10, maxFiles: 3 });
  let log = open();
  const write = (text: string) => log.write(Buffer.from(text));
  write("one\n");
  write("two\n");
  assert.equal(read("agent.log"), "one\ntwo\n");
  write("three\n");
  assert.deepEqual([read("agent.log"), read("agent.1.log")], ["three\n", "one\ntwo\n"]);
  log = open();
  write("12345\n");
  write("longer than one file\n");
  assert.deepEqual(readdirSync(join(folder, "logs")).sort(), ["agent.1.log", "agent.2.log", "agent.log"]);
  assert.deepEqual(
    [read("agent.log"), read("agent.1.log"), read("agent.2.log")],
    ["longer than one file\n", "12345\n", "three\n"],
  );
  rmSync(join(folder, "logs"), { recursive: true });
  write("nobody minds\n");
});
