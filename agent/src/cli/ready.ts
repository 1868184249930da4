/** `sallyport ready`: one word for whatever watches the agent. It reads one file and asks nobody. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { statePaths } from "../state.ts";
import { readStatus, STATUS_STALE_MS } from "../supervisor/status.ts";
import { EXIT } from "./exit.ts";
import { type OutputOptions, print } from "./print.ts";
import { JSON_OPTION, STATE_OPTION } from "./verb.ts";

interface ReadyOptions extends OutputOptions {
  readonly state: string;
}

export function addReady(program: Command): void {
  program
    .command("ready")
    .description("exit 0 when the agent takes sessions now, 1 and the reason when it does not")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
Not ready: no agent runs, its status is older than ${STATUS_STALE_MS / 1000} s, its control channel is down, its owner has locked it, it is
draining, or its journal cannot be written. An agent whose sessions are all taken is ready.

Example:
  sallyport ready && echo takes sessions
  HEALTHCHECK --interval=30s CMD ["sallyport", "ready"]`,
    )
    .action(say);
}

function say(options: ReadyOptions): void {
  const why = whyNot(resolve(options.state), Date.now());
  if (why !== undefined) process.exitCode = EXIT.no;
  const ready = why === undefined;
  print(options, ready ? { ready } : { ready, why }, [ready ? "ready" : `not ready: ${why}`]);
}

function whyNot(root: string, nowMs: number): string | undefined {
  const found = readStatus(statePaths(root), nowMs);
  if (found === undefined) return `no agent has run on ${root}`;
  const { status, live } = found;
  if (live) return status.notReady ?? undefined;
  return `the agent that ran on ${root} (process ${status.pid}) says nothing since ${status.at}`;
}
