import { once } from "node:events";
import { fstatSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { makeCommands } from "./commands.ts";
import { readConfig } from "./config.ts";
import { startRelay } from "./start.ts";

/**
 * The relay as a process. Configuration: `--config FILE`, or one line of JSON on stdin. Prints one line of JSON,
 * `{ controlPort, rendezvousPort }`, when both ports are open. Takes commands.ts over IPC. Ends with its parent: on SIGTERM or SIGINT,
 * when the IPC channel closes, or when stdin ends, if that is a pipe.
 */

const { values } = parseArgs({ options: { config: { type: "string" } } });
const relay = await startRelay(
  await readConfig(values.config ? await readFile(values.config, "utf8") : await firstLine()),
);
const carryOut = makeCommands(relay);

process.on("message", async (input) => {
  const answer = await carryOut(input);
  if (process.connected) process.send?.(answer);
});
process.once("SIGTERM", end);
process.once("SIGINT", end);
process.once("disconnect", end);
if (isPipe(0)) process.stdin.once("end", end).resume();

process.stdout.write(`${JSON.stringify({ controlPort: relay.controlPort, rendezvousPort: relay.rendezvousPort })}\n`);

function end(): void {
  void relay.stop().finally(() => process.exit(0));
}

/** Leaves stdin open: its end is what tells us that the parent is gone. */
async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  const closed = once(lines, "close").then(() => [""]);
  const [line] = await Promise.race([once(lines, "line"), closed]);
  lines.close();
  return line;
}

function isPipe(fd: number): boolean {
  const stat = fstatSync(fd);
  return stat.isFIFO() || stat.isSocket();
}
