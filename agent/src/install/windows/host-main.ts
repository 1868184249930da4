/** `sallyport service host`: what the service control manager starts. It holds no key and opens no socket. */
import { spawn } from "node:child_process";
import { systemClock } from "../../clock.ts";
import { childEnvironment, loadConfig } from "../../config.ts";
import type { StatePaths } from "../../state.ts";
import { dataFault } from "./data-folder.ts";
import { reportEvent } from "./event-log.ts";
import { eventOf, type HostNote } from "./events.ts";
import { createHostProcess, type HostProcess } from "./host-process.ts";
import { endTogether } from "./job.ts";
import { SERVICE, type WindowsLayout } from "./layout.ts";
import { openLog } from "./log-file.ts";
import { duesOf, rightsFaults } from "./rights.ts";
import { isOwnTokenAdministrators, readSddl } from "./security.ts";
import { serve } from "./service-control.ts";
import { changeFaults, judgedFor } from "./trust.ts";

/** As agent.yaml has it where nobody wrote another. */
const DEFAULT_EXECUTOR_BYTES = 512 * 2 ** 20;

export interface HostOptions {
  readonly layout: WindowsLayout;
  readonly paths: StatePaths;
  /** The agent's program with its arguments; its standard input tells it when to stop. */
  readonly agent: readonly [program: string, ...args: string[]];
  /** What the program is made of; undefined where the owner said that it does not matter who changes it. */
  readonly programFiles: readonly string[] | undefined;
  /** Whether rights keep it from starting; only tests on something that is no Windows leave them out. */
  readonly checksRights?: boolean;
}

/** Serves until the control manager has it stop. @throws WindowsError where it was not the control manager that started it */
export async function runHost(options: HostOptions): Promise<void> {
  const { layout, paths, agent, checksRights = true } = options;
  endTogether(executorBytes(paths));
  const log = openLog(layout.logs);
  const [program, ...args] = agent;
  let host: HostProcess | undefined;
  await serve(
    SERVICE,
    ({ report }) => {
      host = createHostProcess({
        report,
        note: noteInLog,
        faults: () => (checksRights ? faultsOf(options) : []),
        clock: systemClock,
        spawn() {
          const stdio = ["pipe", "pipe", "pipe"] as const;
          const child = spawn(program, args, { stdio: [...stdio], env: childEnvironment(), windowsHide: true });
          for (const output of [child.stdout, child.stderr]) output.on("data", (bytes: Uint8Array) => log.write(bytes));
          return child;
        },
      });
      host.begin();
    },
    () => host?.askToStop(),
  );
}

/** What of an agent.yaml that cannot be read the agent itself says. */
function executorBytes({ config }: StatePaths): number {
  try {
    return loadConfig(config).executorMemory;
  } catch {
    return DEFAULT_EXECUTOR_BYTES;
  }
}

/** By the installation's folders, before any start of the agent, whose account this process has. */
function faultsOf({ layout, paths, programFiles }: HostOptions): readonly string[] {
  const lists = { readSddl };
  const dues = rightsFaults(duesOf(paths, layout.data), lists);
  if (programFiles === undefined) return dues;
  const data = dataFault(layout.data, lists);
  return [
    ...dues,
    ...(data === undefined ? [] : [`${layout.data} ${data}`]),
    ...changeFaults(judgedFor(programFiles), lists),
    ...(isOwnTokenAdministrators()
      ? ["the service's account is an administrator's: it could change its own policy"]
      : []),
  ];
}

/** The event log may be full or switched off: the service is not to end because of that. */
function noteInLog(note: HostNote): void {
  try {
    reportEvent(eventOf(note));
  } catch {
    // Nobody is left who could be told.
  }
}
