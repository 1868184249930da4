/** The single executable by itself: its executors start, are confined, and are nothing where they are not. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { nodeArguments } from "@sallyport/agent/src/program-executable.ts";
import { executorCommand } from "@sallyport/agent/src/supervisor/executor-command.ts";
import { createExecutorPool } from "@sallyport/agent/src/supervisor/executors.ts";
import { buildAgent } from "../../build/agent.ts";
import { buildExecutable } from "../../build/executable.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-executable-"));
let program: string;
before(async () => {
  const agent = await buildAgent(join(folder, "agent"));
  program = (await buildExecutable(join(folder, "executable"), { agent })).file;
});
after(() => rmSync(folder, { recursive: true, force: true }));

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(program, args, { cwd: folder, env, encoding: "utf8", timeout: 60_000 });

const QUIET = { warn: () => {}, error: () => {} } as never;

/** The flags that executors get, without the tools that wrap them here. */
const flags = () => executorCommand(64, "win32", { module: "@executor", readable: [] }).execArgv;

test("it is the command line, and a foreign NODE_OPTIONS loads nothing", () => {
  const evil = join(folder, "evil.cjs");
  writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(join(folder, "loaded"))}, "");`);
  const { stdout, status } = run(["version"], { NODE_OPTIONS: `--require=${evil}` });
  assert.deepEqual([stdout.startsWith("sallyport "), status], [true, 0]);
  assert.equal(existsSync(join(folder, "loaded")), false);
});

test("an executor of it says hello to its supervisor", async () => {
  const command = { execPath: program, execArgv: nodeArguments(flags()), module: "@executor", missing: [] };
  // Whether it could dump core is the wrapping tools' affair, and this machine's.
  const confinement = { residentBytes: () => undefined, canDumpCore: () => false };
  const pool = createExecutorPool({
    memoryBytes: 2 ** 30,
    warm: 1,
    log: QUIET,
    command,
    confinement,
  });
  try {
    assert.equal(await pool.take().ready, true);
  } finally {
    await pool.close();
  }
});

test("its flags hold: it reads nothing but its own file, writes and starts nothing, whatever the environment says", () => {
  const probe = join(folder, "probe.cjs");
  writeFileSync(probe, PROBE);
  const [argument] = nodeArguments([...flags(), `--require=${probe}`]);
  const { stdout } = run([argument!, "@executor"], { NODE_OPTIONS: "--allow-fs-read=* --allow-fs-write=*" });
  const denied = "ERR_ACCESS_DENIED";
  const sqlite = "ERR_UNKNOWN_BUILTIN_MODULE";
  assert.deepEqual(JSON.parse(stdout), { read: denied, write: denied, start: denied, own: "done", sqlite });
  // The supervisor locks its folder by it (agent/src/supervisor/hold.ts).
  const [unconfined] = nodeArguments([`--require=${probe}`]);
  assert.equal(JSON.parse(run([unconfined!, "version"]).stdout).sqlite, "done");
});

test("without the permission model, or with more than its rights, an executor ends with 78", () => {
  assert.equal(run(["@executor"]).status, 78);
  assert.equal(run([...nodeArguments(["--permission", "--allow-fs-write=*"]), "@executor"]).status, 78);
  // As a plain Node would be given them, they are no flags: of our command line neither.
  assert.equal(run([...flags(), "@executor"]).status, 64);
});

const PROBE = `
const fs = require("node:fs");
const outcome = (act) => { try { act(); return "done"; } catch (error) { return error.code; } };
process.stdout.write(JSON.stringify({
  read: outcome(() => fs.readdirSync(".")),
  write: outcome(() => fs.writeFileSync("written", "")),
  start: outcome(() => require("node:child_process").spawnSync(process.execPath, ["--version"])),
  own: outcome(() => fs.closeSync(fs.openSync(process.execPath))),
  sqlite: outcome(() => require("node:sqlite")),
}));
process.exit(0);`;
