import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../config-error.ts";
import { isServiceRunning } from "./service.ts";

const there = () => true;
const saying = (stdout: string, code = 0) => {
  const asked: string[] = [];
  const run = (command: string, args: readonly string[]) => {
    asked.push([command, ...args].join(" "));
    return { code, stdout, stderr: "" };
  };
  return { run, asked };
};

test("whether the service runs systemd is asked, and nobody where there is no unit, or no systemd", () => {
  for (const state of ["active", "activating", "deactivating", "reloading", "maintenance"]) {
    assert.equal(isServiceRunning(saying(`ActiveState=${state}\nMainPID=7\n`).run, there), true, state);
  }
  for (const state of ["inactive", "failed"]) {
    assert.equal(isServiceRunning(saying(`MainPID=0\nActiveState=${state}\n`).run, there), false, state);
  }
  const { run, asked } = saying("");
  assert.equal(
    isServiceRunning(run, (path) => !path.startsWith("/etc/")),
    false,
  );
  assert.equal(
    isServiceRunning(run, (path) => path.startsWith("/etc/")),
    false,
  );
  assert.deepEqual(asked, []);
});

test("a systemd that does not answer is no leave to go on", () => {
  assert.equal(isServiceRunning(saying("").run, there), true);
  assert.throws(() => isServiceRunning(saying("", 1).run, there), ConfigError);
});
