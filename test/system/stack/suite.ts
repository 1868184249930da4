/** What `npm start` does to this machine: each file is a run of Node's test runner, because it starts whole stacks. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Suite } from "../suite.ts";

const FILES: Readonly<Record<string, string>> = {
  "npm start can be left at any moment, and leaves nothing": "leaving.e2e.ts",
  "npm start says how to look around, by a key that is on no screen": "look-around.e2e.ts",
  "npm start uses a real server in a schema of its own that goes again": "real-server.e2e.ts",
};

export const stack: Suite = {
  name: "stack",
  about: "npm start: left at any moment, side by side, on a server of its own",
  run: async (check) => {
    for (const [name, file] of Object.entries(FILES)) await check(name, () => runTests(file));
  },
};

/** @throws with the runner's own report when a test failed */
async function runTests(file: string): Promise<void> {
  const path = fileURLToPath(new URL(`./${file}`, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--test", path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [report, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`${file} failed:\n${report}`);
}
