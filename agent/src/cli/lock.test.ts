import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolders, statePaths } from "../state.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
let root: string;
before(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-lock-"));
  makeFolders(statePaths(root));
});
after(() => rmSync(root, { recursive: true, force: true }));

const sallyport = (...args: string[]) => {
  const command = ["--disable-warning=ExperimentalWarning", MAIN, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
  return { status, stdout, stderr };
};
const flag = (name: string): string => join(statePaths(root).control, name);

test("a lock is set and taken back, also while no agent runs, and as often as one likes", () => {
  for (const _ of ["once", "again"]) {
    const locked = sallyport("lock", "--state", root);
    assert.equal(locked.status, 0, locked.stderr);
    assert.match(locked.stdout, /^locked; no running agent has answered: it counts for the next that starts/);
    assert.equal(statSync(flag("lock")).mode & 0o777, 0o644);
    assert.match(readFileSync(flag("lock"), "utf8"), /^20\d\d-/);
  }
  for (const _ of ["once", "again"]) {
    assert.match(sallyport("unlock", "--state", root).stdout, /^unlocked; /);
    assert.equal(existsSync(flag("lock")), false);
  }
});

test("a drain is set and taken back; neither touches the lock", () => {
  assert.equal(sallyport("lock", "--state", root).status, 0);
  const draining = sallyport("drain", "--state", root, "--json");
  assert.deepEqual(JSON.parse(draining.stdout), { draining: true, agent: false, running: null });
  assert.ok(existsSync(flag("drain")));
  const over = sallyport("drain", "--off", "--state", root, "--json");
  assert.deepEqual(JSON.parse(over.stdout), { draining: false, agent: false, running: null });
  assert.deepEqual([existsSync(flag("drain")), existsSync(flag("lock"))], [false, true]);
  assert.equal(sallyport("unlock", "--state", root).status, 0);
});

test("a folder that is no agent's is 78", () => {
  for (const verb of ["lock", "unlock", "drain"]) {
    const { status, stderr } = sallyport(verb, "--state", join(root, "nowhere"));
    assert.equal(status, 78);
    assert.match(stderr, /no agent's folder/);
  }
  writeFileSync(join(root, "file"), "");
  assert.equal(sallyport("lock", "--state", join(root, "file")).status, 78);
});
