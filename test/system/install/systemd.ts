/**
 * The root's systemd, as far as the agent and its updater need one: each is started by what its unit says, stopped as its unit says, and
 * again with the machine where it is enabled.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { descendantsOf, gone, stopChild } from "../processes.ts";
import { type Answer, answerSystemctl } from "../systemctl.ts";
import { CALLS, SOCKET, WANTS } from "./debian.ts";
import { type Root, startIn } from "./root.ts";
import { commandOf } from "./unit-command.ts";

const AGENT = "sallyport.service";
const UPDATER = "sallyport-update.service";
type Unit = typeof AGENT | typeof UPDATER;

export interface Systemd {
  /** The agent's process; undefined where none runs. */
  readonly agent: number | undefined;
  /** What both have said, for errors. */
  log(): string;
  /** The next time that the updater asks for this, it is killed instead, and nobody is answered. */
  killUpdaterAt(words: string): void;
  /** The power goes, and comes again; resolves when everything is started, and the updater has ended. */
  reboot(): Promise<void>;
  close(): Promise<void>;
}

/** From now on systemctl does what it is told. */
export async function startSystemd(root: Root): Promise<Systemd> {
  const running = new Map<Unit, ChildProcess>();
  let log = "";
  let deadly: string | undefined;

  function start(unit: Unit): ChildProcess {
    const there = running.get(unit);
    if (there !== undefined) return there;
    const child = startIn(root, commandOf(root, unit));
    running.set(unit, child);
    child.stderr?.on("data", (piece) => {
      log += piece;
    });
    child.once("exit", (code, signal) => {
      log += `${unit} ended with ${code ?? signal}\n`;
      if (running.get(unit) === child) running.delete(unit);
    });
    return child;
  }
  /** With all that it has started, as `KillMode=control-group` has it (systemd.kill(5)). */
  async function stop(unit: Unit, signal: NodeJS.Signals): Promise<void> {
    const child = running.get(unit);
    if (child === undefined) return;
    const started = descendantsOf(child.pid!);
    await stopChild(child, signal);
    for (const pid of started) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended with its parent.
      }
      await gone(pid);
    }
  }
  async function ended(child: ChildProcess): Promise<number> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode ?? 1;
  }
  const shown = (): string => {
    const pid = running.get(AGENT)?.pid ?? 0;
    return `MainPID=${pid}\nNRestarts=0\nExecMainStatus=0\nExecMainExitTimestampMonotonic=0\nActiveState=${pid === 0 ? "inactive" : "active"}\nUnitFileState=enabled\n`;
  };

  async function act(all: readonly string[]): Promise<Answer> {
    appendFileSync(join(root.folder, CALLS), `${all.join(" ")}\n`);
    const [verb, ...units] = all.filter((word) => !word.startsWith("--"));
    if (deadly === `${verb} ${units.join(" ")}`) {
      deadly = undefined;
      await stop(UPDATER, "SIGKILL");
      return { code: 1 };
    }
    if (verb === "show") return { code: 0, prints: shown() };
    for (const unit of units) {
      if (unit !== AGENT && unit !== UPDATER) continue;
      if (verb === "stop") await stop(unit, "SIGTERM");
      if (verb !== "start") continue;
      const child = start(unit);
      // A oneshot's start is its whole run.
      if (unit === UPDATER) return { code: await ended(child) };
    }
    return { code: 0 };
  }
  const listening = await answerSystemctl(join(root.folder, SOCKET), act);
  /** The link leads to a file of the root's, not of this machine's. */
  const isEnabled = (unit: Unit): boolean =>
    lstatSync(join(root.folder, WANTS, unit), { throwIfNoEntry: false }) !== undefined;
  const kill = async (): Promise<void> => {
    for (const unit of [UPDATER, AGENT] as const) await stop(unit, "SIGKILL");
  };
  return {
    get agent() {
      return running.get(AGENT)?.pid;
    },
    log: () => log,
    killUpdaterAt(words) {
      deadly = words;
    },
    async reboot() {
      await kill();
      const enabled = ([AGENT, UPDATER] as const).filter((unit) => isEnabled(unit));
      for (const unit of enabled) {
        const child = start(unit);
        if (unit === UPDATER) await ended(child);
      }
    },
    async close() {
      await kill();
      await listening.close();
    },
  };
}
