/** `sallyport service host`: what the service control manager starts. It holds no key and opens no socket. */
import { spawn } from "node:child_process";
import { systemClock } from "../../clock.ts";
import { childEnvironment } from "../../config.ts";
import type { StatePaths } from "../../state.ts";
import { reportEvent } from "./event-log.ts";
import { eventOf, type HostNote } from "./events.ts";
import { createHostProcess, type HostProcess } from "./host-process.ts";
import { endTogether } from "./job.ts";
import { SERVICE, type WindowsLayout } from "./layout.ts";
import { openLog } from "./log-file.ts";
import { duesOf, rightsFaults } from "./rights.ts";
import { readSddl } from "./security.ts";
import { serve } from "./service-control.ts";

export interface HostOptions {
  readonly layout: WindowsLayout;
  readonly paths: StatePaths;
  /** The agent's program with its arguments; its standard input tells it when to stop. */
  readonly agent: readonly [program: string, ...args: string[]];
  /** Whether rights keep it from starting; only tests on something that is no Windows leave them out. */
  readonly checksRights?: boolean;
}

/** Serves until the control manager has it stop. @throws WindowsError where it was not the control manager that started it */
export async function runHost({ layout, paths, agent, checksRights = true }: HostOptions): Promise<void> {
  endTogether();
  const log = openLog(layout.logs);
  const [program, ...args] = agent;
  let host: HostProcess | undefined;
  await serve(
    SERVICE,
    ({ report }) => {
      host = createHostProcess({
        report,
        note: noteInLog,
        faults: () => (checksRights ? rightsFaults(duesOf(paths, layout.data), { readSddl }) : []),
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

/** The event log may be full or switched off: the service is not to end because of that. */
function noteInLog(note: HostNote): void {
  try {
    reportEvent(eventOf(note));
  } catch {
    // Nobody is left who could be told.
  }
}
