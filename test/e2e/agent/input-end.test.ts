/** The agent as a service host on Windows keeps it: asked to stop by the end of its standard input, with the real process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Site, startSite } from "./site.ts";

const SOURCE = fileURLToPath(new URL("../../../agent/src/cli/main.ts", import.meta.url));

let site: Site;
before(async () => {
  site = await startSite();
  assert.equal((await site.enroll(site.orchestrator.code())).code, 0);
});
after(() => site.close());

test("what is written to it changes nothing; its end drains, with 0", async () => {
  const args = [SOURCE, "run", "--state", site.state, "--insecure-files", "--until-input-ends"];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    env: { PATH: process.env.PATH },
    stdio: ["pipe", "pipe", "pipe"],
  });
  try {
    const ended = once(child, "close");
    let log = "";
    const online = new Promise<void>((resolve) => {
      child.stderr.on("data", (chunk) => {
        log += String(chunk);
        if (log.includes("control channel online")) resolve();
      });
    });
    child.stdin.write("stop\n");
    await Promise.race([online, ended]);
    assert.equal(child.exitCode, null, log);
    child.stdin.end();
    assert.deepEqual(await ended, [0, null], log);
    assert.match(log, /asked to stop by the end of the input/);
  } finally {
    child.kill("SIGKILL");
  }
});
