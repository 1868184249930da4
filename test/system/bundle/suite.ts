/** The agent's end-to-end tests on its bundle: `npm test` runs them on the sources, and the attacks on the bundle. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../build/root.ts";
import { bundledIn } from "../../stack/program.ts";
import type { Suite } from "../suite.ts";

/** Everything that starts the agent as `SALLYPORT_AGENT_ENTRY` says: executors' rules, sessions, attacks, faults. */
const FOLDER = "test/e2e/agent";

export const bundle: Suite = {
  name: "bundle",
  about: "the agent's end-to-end tests on its bundle",
  run: async (check) => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-bundle-"));
    const { sallyport } = await bundledIn(folder);
    const files = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith(".test.ts"));
    for (const name of files.sort()) await check(name, () => runTests(join(FOLDER, name), sallyport));
    rmSync(folder, { recursive: true, force: true });
  },
};

/** @throws with the runner's own report when a test failed */
async function runTests(file: string, sallyport: string): Promise<void> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--test", file], {
    cwd: ROOT,
    env: { ...process.env, SALLYPORT_AGENT_ENTRY: sallyport },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [report, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`${file} failed:\n${report}`);
}
