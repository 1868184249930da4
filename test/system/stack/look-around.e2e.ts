/** The line that `npm start` prints to be copied works as it stands, and the key that it leads to is on no screen. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startDemo } from "./demo-process.ts";

const CTL = fileURLToPath(new URL("../../../cloud/src/cli/main.ts", import.meta.url));

it("npm start: look around, in another terminal", { timeout: 300_000 }, async (t) => {
  const demo = await startDemo();
  t.after(() => demo.remove());
  const line = await demo.line(/^ {2}SALLYPORT_URL=.* npx sallyportctl /);
  // As a person pastes it, but for npx, which finds the program where dependencies were installed.
  const pasted = line.replace("npx sallyportctl", `'${process.execPath}' '${CTL}'`);
  const env = { PATH: process.env.PATH };
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", pasted], { env, cwd: "/" });
  const [heads, ...runs] = stdout.trimEnd().split("\n");
  assert.match(heads!, /^RUN +STATE +KIND +ROWS +BYTES +STARTED +TOOK +ERROR$/);
  assert.equal(runs.length, 2);
  for (const run of runs) assert.match(run, /^flights\.\S+ +published +manual /);

  const keyFile = join(demo.folder()!, "admin.key");
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  const key = readFileSync(keyFile, "utf8").trim();
  demo.interrupt();
  const { lines, stderr } = await demo.ended;
  assert.equal([...lines, stderr].join("\n").includes(key), false);
});
