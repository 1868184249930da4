import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { executorCommand } from "./executor-command.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

test("an executor may read the program, and no state of an agent that lies beside it", () => {
  const { execPath, execArgv } = executorCommand(64);
  const asked = [
    "agent/src/executor/main.ts",
    "shared/src/json.ts",
    "node_modules/ws/package.json",
    ".sallyport/1/agent/keys/identity.jwk",
    ".sallyport",
    "cloud/src/compose.ts",
  ].map((path) => resolve(ROOT, path));
  const script = `console.log(JSON.stringify(${JSON.stringify(asked)}.map((path) => process.permission.has("fs.read", path))))`;
  const { stdout } = spawnSync(execPath, [...execArgv, "-e", script], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(stdout), [true, true, true, false, false, false]);
});
