/** The updater's service: made and removed with the agent's. Whoever may start it decides nothing but when it looks. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { compareVersions } from "@sallyport/shared/release/version.ts";
import { ConfigError } from "../../config-error.ts";
import { PROGRAM, versionIn } from "../../update/windows/command.ts";
import { dataFault } from "./data-folder.ts";
import { UPDATE_DESCRIPTION, UPDATE_DISPLAY_NAME, UPDATE_HOST_ARGUMENTS, UPDATE_SERVICE } from "./layout.ts";
import { dueSddl, rightsFaults, SERVICE_SID } from "./rights.ts";
import { RIGHTS } from "./sddl.ts";
import { ADMINISTRATORS_SID, SYSTEM_SID } from "./sid.ts";
import type { Windows } from "./windows.ts";

export interface UpdaterPlaces {
  /** The program that it is. */
  readonly program: string;
  /** The folder that only administrators write: commands, record, what is verified. */
  readonly own: string;
  /** Of all versions. */
  readonly versions: string;
  /** Removes a version that an update brought. */
  remove(folder: string): void;
}

/** Rights over services (learn.microsoft.com, "Service Security and Access Rights"). */
const ALL = 0xf01ff;
/** QUERY_CONFIG, QUERY_STATUS, ENUMERATE_DEPENDENTS, INTERROGATE, READ_CONTROL: as everybody who signed in, and each service, has them. */
const LOOK = 0x2008d;
const START = 0x10;
const [INTERACTIVE_SID, SERVICES_SID] = ["S-1-5-4", "S-1-5-6"];

/**
 * Who may do what with it: what Windows gives by itself, and a start by the agent, known by its service's own SID. Nothing is told to it
 * by that: it takes no arguments, and reads what to do from files that only administrators write.
 */
export const updaterSddl = (): string => {
  const entries: readonly (readonly [number, string])[] = [
    [ALL, SYSTEM_SID],
    [ALL, ADMINISTRATORS_SID],
    [LOOK, INTERACTIVE_SID],
    [LOOK, SERVICES_SID],
    [LOOK | START, SERVICE_SID],
  ];
  return `D:${entries.map(([mask, sid]) => `(A;;0x${mask.toString(16)};;;${sid})`).join("")}`;
};

/** @throws ConfigError: what it does must not be changed under its hands */
export function refuseWhileUpdating({ readState }: Pick<Windows, "readState">): void {
  const state = readState(UPDATE_SERVICE)?.state ?? "stopped";
  if (state === "stopped") return;
  throw new ConfigError(
    "an update is under way: `sallyport update status` says how far, repeat this when it has ended",
  );
}

/** Why its folder is not to be believed, one sentence each; that there is none yet is a fault, too. */
export function updaterFaults(
  { own }: Pick<UpdaterPlaces, "own">,
  lists: Pick<Windows, "readSddl">,
): readonly string[] {
  if (!existsSync(own)) return [`there is no ${own}`];
  const fault = dataFault(own, lists);
  return fault === undefined
    ? rightsFaults([{ path: own, mask: RIGHTS.read }], lists)
    : [`${own} ${fault}, and should be closed`];
}

/**
 * The program that a service is made of: ours, or a newer version's that an update brought. The search path keeps the installer's, and
 * whoever mends rights by that one does not mean to go back.
 */
export function programFor(
  windows: Pick<Windows, "readConfiguration">,
  service: string,
  { program, versions }: Pick<UpdaterPlaces, "program" | "versions">,
): string {
  const command = windows.readConfiguration(service)?.command;
  const runs = command === undefined ? undefined : versionIn(command, versions);
  const ours = basename(dirname(program));
  if (runs === undefined || compareVersions(runs, ours) <= 0) return program;
  const newer = join(versions, runs, PROGRAM);
  return existsSync(newer) ? newer : program;
}

type Services = Pick<Windows, "readConfiguration" | "ensureService" | "setServiceAccess" | "makeFolder" | "writeSddl">;

/** Makes or mends it. @throws WindowsError */
export function ensureUpdater(
  windows: Services,
  places: UpdaterPlaces,
  restartAfterMs: readonly number[],
  privileges: readonly string[],
): void {
  const { own } = places;
  const list = dueSddl(RIGHTS.read);
  if (!windows.makeFolder(own, list)) windows.writeSddl(own, list);
  windows.ensureService({
    ...{ name: UPDATE_SERVICE, displayName: UPDATE_DISPLAY_NAME, description: UPDATE_DESCRIPTION },
    command: [`"${programFor(windows, UPDATE_SERVICE, places)}"`, ...UPDATE_HOST_ARGUMENTS].join(" "),
    logon: { account: "LocalSystem", password: null },
    // Killed in the middle, it goes on by itself.
    ...{ restartAfterMs, privileges, preshutdownMs: undefined, startsWithMachine: false },
  });
  windows.setServiceAccess(UPDATE_SERVICE, updaterSddl());
}

/** Removes it, and what updates brought. @throws WindowsError */
export function removeUpdater(
  { deleteService }: Pick<Windows, "deleteService">,
  { own, versions, remove }: UpdaterPlaces,
): void {
  deleteService(UPDATE_SERVICE);
  rmSync(own, { recursive: true, force: true });
  for (const name of readdirSync(versions)) remove(join(versions, name));
}
