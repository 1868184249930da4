/** `sallyport service` on Windows: the service, whose files are whose, the event log's source; and how all of it goes again. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../config-error.ts";
import { rewrapSecret } from "../../secret-file.ts";
import { makeFolders, readPinned, type StatePaths } from "../../state.ts";
import { DEFAULT_ACCOUNT, needsLogonRight, parseAccount, passwordFor, type ServiceAccount } from "./account.ts";
import type { Wanted } from "./control-manager.ts";
import { requireDataFolder } from "./data-folder.ts";
import { STOP_WITHIN_MS } from "./host.ts";
import { DESCRIPTION, DISPLAY_NAME, HOST_ARGUMENTS, INSECURE_FILES, SERVICE, type WindowsLayout } from "./layout.ts";
import { duesOf, rightsFaults, settleRights } from "./rights.ts";
import { stopAndWait } from "./stop.ts";
import { changeFaults, judgedFor } from "./trust.ts";
import {
  ensureUpdater,
  programFor,
  refuseWhileUpdating,
  removeUpdater,
  type UpdaterPlaces,
  updaterFaults,
} from "./update-service.ts";
import type { Windows } from "./windows.ts";

export interface Installation {
  readonly windows: Windows;
  readonly layout: WindowsLayout;
  readonly paths: StatePaths;
  /** The program with what stands before its verb. */
  readonly program: readonly string[];
  /** All that it is made of, with what lies beside it: nobody but administrators may change these. */
  readonly programFiles: readonly string[];
  /** Undefined where the program does not lie in a folder of versions, as installers make it: it is not updated then. */
  readonly updater?: UpdaterPlaces | undefined;
  readonly rewrap?: (path: string) => boolean;
  readonly clock?: Clock;
}

export interface Installed {
  readonly account: string;
  /** The service's name. */
  readonly unit: string;
  readonly enrolled: boolean;
  readonly started: boolean;
  /** Whether there are keys, all of them wrapped by DPAPI now. */
  readonly encrypted: boolean;
  /** Settings of services that this system does not know; Windows knows all. */
  readonly unknown: readonly string[];
  readonly kind: ServiceAccount["kind"];
}

export interface AccountOptions {
  /** As it is otherwise, or the service's own. */
  readonly account?: string | undefined;
  readonly password?: string | undefined;
  /** The owner's word that others may change the program, or the service its own policy. */
  readonly insecureFiles?: boolean | undefined;
}

/** After an end of the host itself; the agent's ends are the host's to answer. As the installer has it. */
export const RESTART_AFTER_MS: readonly number[] = [5_000, 60_000, 300_000];
/** What every account keeps of its privileges: to pass through folders. Impersonation, which services have otherwise, is gone. */
export const PRIVILEGES: readonly string[] = ["SeChangeNotifyPrivilege"];

/** Between quotes, as CommandLineToArgvW reads them: a backslash before a quote would be taken for one. @throws ConfigError */
export function commandOf(program: readonly string[], insecureFiles = false): string {
  const quoted = program.map((part) => {
    if (/["\0]|\\$/.test(part)) throw new ConfigError(`${part} cannot stand in a service's command`);
    return `"${part}"`;
  });
  return [...quoted, ...HOST_ARGUMENTS, ...(insecureFiles ? [INSECURE_FILES] : [])].join(" ");
}

/**
 * Makes or mends the service: repeating it changes nothing that is as it should be. It stops a running one, since files change
 * their rights and keys are wrapped anew, and starts it once it is enrolled.
 * @throws ConfigError, WindowsError
 */
export async function installService(installation: Installation, options: AccountOptions = {}): Promise<Installed> {
  const { windows, layout, paths, updater, rewrap = rewrapSecret } = installation;
  const { insecureFiles = false } = options;
  const before = windows.readConfiguration(SERVICE);
  const wanted = options.account ?? (before === undefined ? DEFAULT_ACCOUNT.name : undefined);
  const program = updater === undefined ? installation.program : [programFor(windows, SERVICE, updater)];
  const command = commandOf(program, insecureFiles);
  if (!insecureFiles) refuseInsecure(installation, wanted ?? before?.account);
  if (updater !== undefined) refuseWhileUpdating(windows);
  const logon = wanted === undefined ? undefined : logonOf(windows, parseAccount(wanted), options.password);
  if (wanted === undefined && options.password !== undefined)
    throw new ConfigError("--password-file goes with --account");
  await stopAndWait(windows, installation.clock);
  makeFolders(paths);
  mkdirSync(layout.logs, { recursive: true });
  settleRights(duesOf(paths, layout.data), windows);
  const wrapped = keysOf(paths).map((path) => rewrap(path));
  // What was just written anew took over its folder's list; its owner is whoever runs this.
  settleRights(duesOf(paths, layout.data), windows);
  windows.registerSource();
  const unknown = windows.ensureService({
    ...{ name: SERVICE, displayName: DISPLAY_NAME, description: DESCRIPTION, command, logon },
    ...{ restartAfterMs: RESTART_AFTER_MS, privileges: PRIVILEGES, preshutdownMs: STOP_WITHIN_MS },
    startsWithMachine: true,
  });
  if (updater !== undefined) ensureUpdater(windows, updater, RESTART_AFTER_MS, PRIVILEGES);
  const account = windows.readConfiguration(SERVICE)?.account ?? "?";
  const enrolled = isEnrolled(paths);
  if (enrolled) windows.startService(SERVICE);
  const kind = kindOf(account);
  return { account, unit: SERVICE, enrolled, started: enrolled, encrypted: wrapped.some(Boolean), unknown, kind };
}

/** Before anything is changed. @throws ConfigError where somebody else had, or will have, a say in what the service does */
function refuseInsecure({ windows, layout, programFiles }: Installation, account: string | undefined): void {
  const may = `, so ${INSECURE_FILES} would have to be said`;
  const changeable = changeFaults(judgedFor(programFiles), windows);
  if (changeable.length > 0) {
    throw new ConfigError(
      `others than administrators can change the program: ${changeable.join("; ")}. Install it below Program Files${may}`,
    );
  }
  if (account !== undefined && (kindOf(account) === "system" || windows.isAdministrator(account) === true))
    throw new ConfigError(`${account} could change its own policy and program: choose another account${may}`);
  requireDataFolder(layout.data, windows);
}

function logonOf(windows: Windows, account: ServiceAccount, given: string | undefined): Wanted["logon"] {
  const password = passwordFor(account, given);
  if (needsLogonRight(account)) {
    const sid = windows.lookUpSid(account.name);
    if (sid === undefined) throw new ConfigError(`there is no account ${account.name}: make it first`);
    windows.allowServiceLogon(sid);
  }
  return { account: account.name, password };
}

/** An account that Windows names in a way of its own is somebody's. */
function kindOf(account: string): ServiceAccount["kind"] {
  try {
    return parseAccount(account).kind;
  } catch {
    return "dedicated";
  }
}

/** Every file that may hold a secret key, in use or about to be. */
const keysOf = (paths: StatePaths): readonly string[] => [
  paths.identity,
  paths.unseal,
  paths.nextIdentity,
  paths.newIdentity,
  paths.newUnseal,
  paths.maskKey,
];

const isEnrolled = (paths: StatePaths): boolean => existsSync(paths.config) && readPinned(paths) !== undefined;

/** @throws ConfigError where there is no service */
export function accountOf({ windows }: Pick<Installation, "windows">): string {
  const configuration = windows.readConfiguration(SERVICE);
  if (configuration === undefined) throw noService();
  return configuration.account;
}

const noService = (): ConfigError => new ConfigError("there is no service: `sallyport service install` makes it");

/** As Linux' verb has it (install/service.ts), with Windows' own words for the state. */
export interface ServiceStatus {
  readonly state: string;
  readonly enabled: boolean;
  readonly pid: number | null;
  /** Starts of the agent are in the event log; Windows counts none. */
  readonly restarts: null;
  readonly exitCode: number | null;
  readonly account: string;
  readonly faults: readonly string[];
}

/** `ERROR_SERVICE_NEVER_STARTED`. */
const NEVER_STARTED = 1077;

/** @throws ConfigError where there is no service */
export function serviceStatus({ windows, paths, layout, programFiles, updater }: Installation): ServiceStatus {
  const account = accountOf({ windows });
  const { state, pid, exitCode } = windows.readState(SERVICE) ?? { state: "?", pid: null, exitCode: 0 };
  const hasEnded = state === "stopped" && exitCode !== NEVER_STARTED;
  return {
    ...{ state, pid, account, restarts: null, exitCode: hasEnded ? exitCode : null },
    enabled: windows.readConfiguration(SERVICE)?.startsWithMachine === true,
    faults: [
      ...changeFaults(judgedFor(programFiles), windows),
      ...rightsFaults(duesOf(paths, layout.data), windows),
      ...(updater === undefined ? [] : updaterFaults(updater, windows)),
    ],
  };
}

/** What is there after `uninstallService`, which somebody may want to keep. */
export const leftovers = ({ layout }: Pick<Installation, "layout">): readonly string[] =>
  [layout.configuration, layout.state].filter((path) => existsSync(path));

/**
 * Stops and removes the service and the event log's source; with `purge` also policy, keys and journal.
 * @throws ConfigError, WindowsError
 */
export async function uninstallService(installation: Installation, purge: boolean): Promise<void> {
  const { windows, layout, updater } = installation;
  if (updater !== undefined) refuseWhileUpdating(windows);
  await stopAndWait(windows, installation.clock);
  if (updater !== undefined) removeUpdater(windows, updater);
  windows.deleteService(SERVICE);
  windows.unregisterSource();
  if (purge) rmSync(layout.data, { recursive: true, force: true });
}
