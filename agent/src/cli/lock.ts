/**
 * `sallyport lock`, `unlock` and `drain`: the owner's word by a file in `control/`, which the running agent watches. Nothing
 * is asked of the orchestrator, and nothing that it says takes a lock away.
 */
import { lstatSync, rmSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { ConfigError } from "../config-error.ts";
import { asOwnerOf } from "../regular-file.ts";
import { type StatePaths, statePaths, writeFileDurably } from "../state.ts";
import { type AgentStatus, readStatus } from "../supervisor/status.ts";
import { counted, fail, type OutputOptions, print } from "./print.ts";
import { JSON_OPTION, STATE_OPTION } from "./verb.ts";

interface FlagOptions extends OutputOptions {
  readonly state: string;
  readonly off?: boolean;
}

type Flag = "lock" | "drain";
const SAYS = { lock: "locked", drain: "draining" } as const satisfies Record<Flag, keyof AgentStatus>;

/** The agent looks twice a second and writes its status every five. */
const ANSWER_WITHIN_MS = 8_000;
const LOOK_EVERY_MS = 200;
/** The agent's account has to see it; only who may write the folder can take it away. */
const FLAG_MODE = 0o644;

export function addLock(program: Command): void {
  program
    .command("lock")
    .description("end the running sessions now, and take none until `sallyport unlock`")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
Sessions end with agent.locked within a second or two; what one of them was writing is rolled back. The agent stays connected and
answers the orchestrator's pings, which tell it that you locked. It stays locked when it is started again.

Example:
  sallyport lock && sallyport status`,
    )
    .action((options: FlagOptions) => act(options, "lock", true));
}

export function addUnlock(program: Command): void {
  program
    .command("unlock")
    .description("take sessions again after `sallyport lock`")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText("after", "\nExample:\n  sallyport unlock")
    .action((options: FlagOptions) => act(options, "lock", false));
}

export function addDrain(program: Command): void {
  program
    .command("drain")
    .description("let the running sessions finish, and take no new ones until `sallyport drain --off`")
    .option("--off", "take sessions again")
    .option(...STATE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
A session ends at its next checkpoint, within seconds; one whose source has none reads to its end. Another agent of the site goes
on, or this one when the drain is over. \`sallyport status\` shows how many still run.

Example:
  sallyport drain          before maintenance
  sallyport drain --off    after it`,
    )
    .action((options: FlagOptions) => act(options, "drain", options.off !== true));
}

async function act(options: FlagOptions, flag: Flag, set: boolean): Promise<void> {
  try {
    const paths = statePaths(resolve(options.state));
    requireFolder(paths);
    change(join(paths.control, flag), set);
    const status = await answer(paths, flag, set);
    const running = status?.sessions.running ?? null;
    print(options, { [SAYS[flag]]: set, agent: status !== undefined, running }, [said(flag, set, running)]);
  } catch (error) {
    fail(error, options);
  }
}

function requireFolder({ root, control }: StatePaths): void {
  try {
    if (lstatSync(control).isDirectory()) return;
  } catch {
    // Said below, as for a file of that name.
  }
  throw new ConfigError(`${root} is no agent's folder: it has no ${control}. Name the right one with --state`);
}

function change(file: string, set: boolean): void {
  try {
    const who = userInfo().username;
    asOwnerOf(dirname(file), () => {
      if (set) writeFileDurably(file, `${new Date().toISOString()} ${who}\n`, FLAG_MODE);
      else rmSync(file, { force: true });
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM" && code !== "EROFS") throw error;
    throw new ConfigError(`this account may not write ${file}: only the machine's administrators may; run it as one`);
  }
}

/**
 * What the running agent says once it has seen the flag, after a lock once nothing runs any more; undefined where no agent runs, or
 * it does not say so in time.
 */
async function answer(paths: StatePaths, flag: Flag, set: boolean): Promise<AgentStatus | undefined> {
  const untilMs = Date.now() + ANSWER_WITHIN_MS;
  const sinceMs = Date.now();
  let said: AgentStatus | undefined;
  for (;;) {
    const found = readStatus(paths, Date.now());
    if (found === undefined || !found.live) return said;
    if (found.status[SAYS[flag]] === set && Date.parse(found.status.at) >= sinceMs) said = found.status;
    const waits = flag === "lock" && set && said?.sessions.running !== 0;
    if ((said !== undefined && !waits) || Date.now() > untilMs) return said;
    await pause(LOOK_EVERY_MS);
  }
}

function said(flag: Flag, set: boolean, running: number | null): string {
  if (running === null) {
    const then = "no running agent has answered: it counts for the next that starts on this folder";
    return `${flag === "lock" ? (set ? "locked" : "unlocked") : set ? "draining" : "drain ended"}; ${then}`;
  }
  if (!set)
    return flag === "lock" ? "unlocked: the agent takes sessions again" : "drain ended: the agent takes sessions";
  const left = running === 0 ? "no session is running" : `${counted(running, "session")} still running`;
  return flag === "lock"
    ? `locked: ${left}, new ones are refused until \`sallyport unlock\``
    : `draining: ${left}, new ones are refused until \`sallyport drain --off\``;
}
