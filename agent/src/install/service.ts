/** The agent as a service of systemd's: account, rights, unit; and how all of it goes again. */
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ConfigError } from "../config-error.ts";
import { docsPage } from "../docs-page.ts";
import { asOwnerOf } from "../regular-file.ts";
import { makeFolders, readPinned, type StatePaths, statePaths, writeFileDurably } from "../state.ts";
import { makeOwn } from "../update/files.ts";
import { updatePlaces } from "../update/places.ts";
import { UPDATE_UNIT } from "../update/service.ts";
import { UPDATE_PATH_UNIT, updatePathUnit, updateServiceUnit } from "../update/units.ts";
import { type Account, ensureAccount, findAccount } from "./account.ts";
import { must, type Run } from "./command.ts";
import { CREDENTIAL, encryptSeed, presentCredential } from "./credential.ts";
import { ACCOUNT, LAYOUT, UNIT } from "./layout.ts";
import { rightsFaults, settleRights } from "./rights.ts";
import { accountIn, unitText } from "./unit.ts";

/** There where systemd is the system's init (sd_booted(3)); in an image that is being made it is not. */
const BOOTED = "/run/systemd/system";
const DROP_INS = `${LAYOUT.unit}.d`;
/** The agent, the updater, and what starts that one. */
const UNITS = [UNIT, UPDATE_UNIT, UPDATE_PATH_UNIT];
const unitFile = (unit: string): string => join(dirname(LAYOUT.unit), unit);

export interface Installed {
  readonly account: string;
  readonly unit: string;
  readonly enrolled: boolean;
  /** False where it is not enrolled yet, and where no systemd runs. */
  readonly started: boolean;
  readonly encrypted: boolean;
}

export interface InstallOptions {
  /** The unit's own otherwise, or the usual one. */
  readonly account?: string | undefined;
  readonly encryptKey?: boolean;
}

/**
 * Makes or mends the service: repeating it changes nothing that is as it should be. It stops a running one, since files
 * change their owner, and starts it once it is enrolled.
 * @throws ConfigError where the system lacks what it needs
 */
export function installService(run: Run, { account: wanted, encryptKey = false }: InstallOptions): Installed {
  requireProgram();
  const account = ensureAccount(run, wanted ?? unitAccount() ?? ACCOUNT);
  const paths = statePaths(LAYOUT.state);
  stop(run, [UNIT]);
  makeFolders(paths);
  settleRights(paths, account);
  if (encryptKey) encryptSeed(paths, run);
  writeUnits(account);
  must(run, "systemctl", ["enable", ...UNITS]);
  const enrolled = isEnrolled(paths);
  const started = existsSync(BOOTED) && enrolled;
  if (existsSync(BOOTED)) {
    must(run, "systemctl", ["daemon-reload"]);
    must(run, "systemctl", ["start", UPDATE_PATH_UNIT]);
  }
  if (started) must(run, "systemctl", ["start", UNIT]);
  return { account: account.name, unit: LAYOUT.unit, enrolled, started, encrypted: presentCredential() !== undefined };
}

/** The account that the unit names; undefined without one. */
export const unitAccount = (): string | undefined =>
  existsSync(LAYOUT.unit) ? accountIn(readFileSync(LAYOUT.unit, "utf8")) : undefined;

/** What is there after `uninstallService`, which somebody may want to keep. */
export function leftovers(): readonly string[] {
  const all = [LAYOUT.configuration, LAYOUT.state, CREDENTIAL.file, DROP_INS];
  return all.filter((path) => existsSync(path));
}

/**
 * Stops and removes the service; with `purge` also what it knows: policy, keys, journal, the account.
 * @throws ConfigError
 */
export function uninstallService(run: Run, purge: boolean): void {
  const account = unitAccount() ?? ACCOUNT;
  stop(run, UNITS);
  if (existsSync(LAYOUT.unit)) {
    must(run, "systemctl", ["disable", ...UNITS]);
    for (const unit of UNITS) rmSync(unitFile(unit), { force: true });
    if (existsSync(BOOTED)) must(run, "systemctl", ["daemon-reload"]);
  }
  if (!purge) return;
  for (const path of leftovers()) rmSync(path, { recursive: true });
  // Any other account is somebody else's.
  if (account === ACCOUNT && findAccount(run, ACCOUNT) !== undefined) must(run, "userdel", [ACCOUNT]);
}

/**
 * Whether the service runs, or is about to: systemd says so, and no file that the service itself writes.
 * @throws ConfigError where systemd does not answer
 */
export function isServiceRunning(run: Run, isThere: (path: string) => boolean = existsSync): boolean {
  if (!isThere(BOOTED) || !isThere(LAYOUT.unit)) return false;
  return !["inactive", "failed"].includes(properties(run).get("ActiveState") ?? "");
}

export interface ServiceStatus {
  /** `active`, `failed`, `inactive`…, as systemd calls it; `unknown` where none runs. */
  readonly state: string;
  readonly enabled: boolean;
  readonly pid: number | null;
  readonly restarts: number;
  /** Of its last end. */
  readonly exitCode: number | null;
  readonly account: string;
  /** Files whose rights are not what they should be. */
  readonly faults: readonly string[];
}

/** @throws ConfigError where there is no service, or its account has gone */
export function serviceStatus(run: Run): ServiceStatus {
  const name = unitAccount();
  if (name === undefined) throw new ConfigError("there is no service: `sallyport service install` makes it");
  const account = findAccount(run, name);
  if (account === undefined) throw new ConfigError(`the service's account ${name} is gone: install it again`);
  const shown = existsSync(BOOTED) ? properties(run) : new Map<string, string>();
  const pid = Number(shown.get("MainPID") ?? 0);
  return {
    state: shown.get("ActiveState") ?? "unknown",
    enabled: shown.get("UnitFileState") === "enabled",
    pid: pid === 0 ? null : pid,
    restarts: Number(shown.get("NRestarts") ?? 0),
    exitCode: shown.get("ExecMainExitTimestampMonotonic") === "0" ? null : Number(shown.get("ExecMainStatus") ?? 0),
    account: name,
    faults: process.geteuid?.() === 0 ? rightsFaults(statePaths(LAYOUT.state), account) : [],
  };
}

const SHOWN = "ActiveState,UnitFileState,MainPID,NRestarts,ExecMainStatus,ExecMainExitTimestampMonotonic";

const properties = (run: Run): Map<string, string> =>
  new Map(
    must(run, "systemctl", ["show", UNIT, `--property=${SHOWN}`])
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

function requireProgram(): void {
  if (existsSync(`${LAYOUT.current}/node`)) return;
  throw new ConfigError(
    `${LAYOUT.current} has no program: install the package first (${docsPage("install-linux.md")})`,
  );
}

const isEnrolled = (paths: StatePaths): boolean =>
  existsSync(paths.config) && asOwnerOf(paths.keys, () => readPinned(paths)) !== undefined;

function stop(run: Run, units: readonly string[]): void {
  if (existsSync(BOOTED) && existsSync(LAYOUT.unit)) must(run, "systemctl", ["stop", ...units]);
}

function writeUnits({ name, group }: Account): void {
  mkdirSync(dirname(LAYOUT.unit), { recursive: true });
  writeFileDurably(LAYOUT.unit, unitText({ account: name, group, credential: presentCredential() }), 0o644);
  const places = updatePlaces(LAYOUT);
  makeOwn(places);
  // The package brings it; whoever unpacked an archive has no reason to know of it.
  if (!existsSync(places.updater)) symlinkSync(readlinkSync(LAYOUT.current), places.updater);
  writeFileDurably(unitFile(UPDATE_UNIT), updateServiceUnit(LAYOUT), 0o644);
  writeFileDurably(unitFile(UPDATE_PATH_UNIT), updatePathUnit(LAYOUT), 0o644);
}
