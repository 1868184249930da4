/** Sallyport's installer: program, service, event source, and the folders of the owner and of the agent. */
import type { InstalledFile, Installer } from "./description.ts";
import { serviceSid, uuidOf } from "./names.ts";

const SERVICE = "Sallyport";
/** Full control for the system and administrators, to whom the folder also belongs; nobody else but whom `more` names. */
const closedTo = (more: string) => `O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)${more}`;
const READ = "0x1200a9";
const CHANGE = "0x1301bf";
const service = (rights: string) => `(A;OICI;${rights};;;${serviceSid(SERVICE)})`;

/** @param files `sallyport.exe` first, then what lies beside it */
export const sallyportInstaller = (
  version: string,
  files: readonly [InstalledFile, ...InstalledFile[]],
): Installer => ({
  name: "Sallyport",
  manufacturer: "Sallyport",
  version,
  upgradeCode: uuidOf("upgrade"),
  programFolder: ["Sallyport", "versions", version],
  files,
  dataFolders: [
    // Anyone may make folders in ProgramData: the outer one is closed, too, so that nobody puts another below it.
    { id: "Data", path: ["Sallyport"], sddl: closedTo(service(READ)) },
    { id: "Configuration", path: ["Sallyport", "config"], sddl: closedTo(service(READ)) },
    { id: "State", path: ["Sallyport", "state"], sddl: closedTo(service(CHANGE)) },
  ],
  service: {
    name: SERVICE,
    displayName: "Sallyport agent",
    description: "Answers pulls that this machine's policy allows. It dials out and listens nowhere.",
    account: `NT SERVICE\\${SERVICE}`,
    arguments: "service host",
    restartDelaysMs: [5_000, 60_000, 300_000],
    failuresForgottenAfterSeconds: 86_400,
    privileges: ["SeChangeNotifyPrivilege"],
  },
  // Of every Windows, Server Core too; it shows an event's own text.
  eventMessageFile: "%SystemRoot%\\System32\\EventCreate.exe",
  hiddenProperties: ["CODE", "ENROLLMENTCODE", "ENROLMENTCODE", "KEY", "PASSWORD", "PROXYPASSWORD", "SECRET", "TOKEN"],
});
