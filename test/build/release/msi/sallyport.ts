/** Sallyport's installer: program, service, event source, and the folders of the owner and of the agent, as the agent itself makes them. */
import { win32 } from "node:path";
import { DEFAULT_ACCOUNT } from "@sallyport/agent/src/install/windows/account.ts";
import { MESSAGE_FILE } from "@sallyport/agent/src/install/windows/event-log.ts";
import { STOP_WITHIN_MS } from "@sallyport/agent/src/install/windows/host.ts";
import {
  DESCRIPTION,
  DISPLAY_NAME,
  EVENT_SOURCE,
  HOST_ARGUMENTS,
  SERVICE,
  UPDATE_DESCRIPTION,
  UPDATE_DISPLAY_NAME,
  UPDATE_HOST_ARGUMENTS,
  UPDATE_SERVICE,
  windowsLayout,
} from "@sallyport/agent/src/install/windows/layout.ts";
import { dueSddl } from "@sallyport/agent/src/install/windows/rights.ts";
import { RIGHTS } from "@sallyport/agent/src/install/windows/sddl.ts";
import { PRIVILEGES, RESTART_AFTER_MS } from "@sallyport/agent/src/install/windows/service.ts";
import type { InstalledFile, Installer } from "./description.ts";
import { uuidOf } from "./names.ts";

/** @param files `sallyport.exe` first, then what lies beside it */
export function sallyportInstaller(version: string, files: readonly [InstalledFile, ...InstalledFile[]]): Installer {
  const { data, configuration, state } = windowsLayout("");
  const path = (folder: string): readonly string[] => win32.normalize(folder).split(win32.sep);
  return {
    name: "Sallyport",
    manufacturer: "Sallyport",
    version,
    upgradeCode: uuidOf("upgrade"),
    programFolder: ["Sallyport", "versions", version],
    files,
    dataFolders: [
      // Anyone may make folders in ProgramData: the outer one is closed, too, so that nobody puts another below it.
      { id: "Data", path: path(data), sddl: dueSddl(RIGHTS.read) },
      { id: "Configuration", path: path(configuration), sddl: dueSddl(RIGHTS.read) },
      { id: "State", path: path(state), sddl: dueSddl(RIGHTS.change) },
    ],
    service: {
      name: SERVICE,
      displayName: DISPLAY_NAME,
      description: DESCRIPTION,
      account: DEFAULT_ACCOUNT.name,
      arguments: HOST_ARGUMENTS.join(" "),
      restartDelaysMs: RESTART_AFTER_MS,
      failuresForgottenAfterSeconds: 86_400,
      stopWithinMs: STOP_WITHIN_MS,
      privileges: PRIVILEGES,
    },
    // Whom it obeys is no table's: `sallyport service install` says it (update-service.ts).
    onDemand: {
      ...{ name: UPDATE_SERVICE, displayName: UPDATE_DISPLAY_NAME, description: UPDATE_DESCRIPTION },
      ...{ account: "LocalSystem", arguments: UPDATE_HOST_ARGUMENTS.join(" ") },
    },
    eventSource: { name: EVENT_SOURCE, messageFile: MESSAGE_FILE },
    hiddenProperties: [
      "CODE",
      "ENROLLMENTCODE",
      "ENROLMENTCODE",
      "KEY",
      "PASSWORD",
      "PROXYPASSWORD",
      "SECRET",
      "TOKEN",
    ],
  };
}
