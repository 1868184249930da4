import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { nodeArguments } from "./program-executable.ts";

test("flags become one argument; none become none", () => {
  assert.deepEqual(nodeArguments([]), []);
  assert.deepEqual(nodeArguments(["--permission", "--expose-gc"]), ["--node-options=--permission --expose-gc"]);
});

test("a path of Windows with spaces stays one, as Node reads such a text", () => {
  const path = 'C:\\Program Files\\Sallyport\\"versions"\\koffi.node';
  const [argument = ""] = nodeArguments(["--no-warnings", `--report-directory=${path}`]);
  // The variable is read by the same code as the executable's argument.
  const { stdout } = spawnSync(process.execPath, ["-p", "process.report.directory"], {
    encoding: "utf8",
    env: { NODE_OPTIONS: argument.replace("--node-options=", "") },
  });
  assert.equal(stdout.trim(), path);
});
