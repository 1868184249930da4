/** An update's machine on Windows: versions are named by the commands of two services, which the service control manager keeps. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import { SERVICE, UPDATE_SERVICE } from "../../install/windows/layout.ts";
import { stopAndWait } from "../../install/windows/stop.ts";
import { changeFaults, judgedFor } from "../../install/windows/trust.ts";
import type { Windows } from "../../install/windows/windows.ts";
import type { UpdatePlaces } from "../places.ts";
import type { Platform } from "../platform.ts";
import type { Service } from "../service.ts";
import { commandWith, PROGRAM, versionIn } from "./command.ts";

export const WINDOWS = "windows-x64";

type Commands = Pick<Windows, "readConfiguration" | "changeService">;

/** @param isOwners whether nobody but administrators could have written a file, as its access list says */
export function windowsPlatform(
  windows: Commands,
  { versions }: Pick<UpdatePlaces, "versions">,
  isOwners: Platform["isOwners"],
): Platform {
  const versionOf = (service: string): string | undefined => {
    const command = windows.readConfiguration(service)?.command;
    return command === undefined ? undefined : versionIn(command, versions);
  };
  return {
    ...{ name: WINDOWS, versionOf, isOwners, remove: removeBrought },
    repoint(service, to) {
      const command = windows.readConfiguration(service)?.command;
      if (command === undefined) throw new Error(`there is no service ${service}`);
      if (versionOf(service) !== to) windows.changeService(service, { command: commandWith(command, versions, to) });
    },
    startWithMachine(wanted) {
      const found = windows.readConfiguration(UPDATE_SERVICE);
      if (found !== undefined && found.startsWithMachine !== wanted)
        windows.changeService(UPDATE_SERVICE, { startsWithMachine: wanted });
    },
  };
}

export const isOwnersBy =
  (windows: Pick<Windows, "readSddl">): Platform["isOwners"] =>
  (path) =>
    existsSync(path) && changeFaults(judgedFor([path]), windows).length === 0;

/** What an installer brought is the installer's: only archives have this note in them. A program that runs goes another time. */
export function removeBrought(folder: string): void {
  if (!existsSync(join(folder, "release.json"))) return;
  try {
    rmSync(join(folder, PROGRAM), { force: true });
  } catch {
    return;
  }
  rmSync(folder, { recursive: true, force: true });
}

/** The agent's service, stopped by asking the agent, which drains. */
export const windowsService = (
  windows: Pick<Windows, "readState" | "startService" | "stopService">,
  clock: Clock,
): Service => ({
  stop: () => stopAndWait(windows, clock),
  async start() {
    try {
      windows.startService(SERVICE);
    } catch {
      // One that cannot be started never becomes healthy: that is what is waited for, and said.
    }
  },
});
