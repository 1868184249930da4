/** The agent as a service of systemd's: account, rights, unit; and how all of it goes again. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { ConfigError } from "../config-error.ts";
import { asOwnerOf } from "../regular-file.ts";
import { makeFolders, readPinned, type StatePaths, statePaths, writeFileDurably } from "../state.ts";
import { type Account, ensureAccount, findAccount } from "./account.ts";
import { must, type Run } from "./command.ts";
import { CREDENTIAL, encryptSeed, presentCredential } from "./credential.ts";
import { ACCOUNT, LAYOUT, UNIT } from "./layout.ts";
import { rightsFaults, settleRights } from "./rights.ts";
import { accountIn, unitText } from "./unit.ts";

/** There where systemd is the system's init (sd_booted(3)); in an image that is being made it is not. */
const BOOTED = "/run/systemd/system";
const DROP_INS = `${LAYOUT.unit}.d`;

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
  stop(run);
  makeFolders(paths);
  settleRights(paths, account);
  if (encryptKey) encryptSeed(paths, run);
  writeUnit(account);
  must(run, "systemctl", ["enable", UNIT]);
  const enrolled = isEnrolled(paths);
  const started = existsSync(BOOTED) && enrolled;
  if (existsSync(BOOTED)) must(run, "systemctl", ["daemon-reload"]);
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
  stop(run);
  if (existsSync(LAYOUT.unit)) {
    must(run, "systemctl", ["disable", UNIT]);
    rmSync(LAYOUT.unit);
    if (existsSync(BOOTED)) must(run, "systemctl", ["daemon-reload"]);
  }
  if (!purge) return;
  for (const path of leftovers()) rmSync(path, { recursive: true });
  // Any other account is somebody else's.
  if (account === ACCOUNT && findAccount(run, ACCOUNT) !== undefined) must(run, "userdel", [ACCOUNT]);
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
  throw new ConfigError(`${LAYOUT.current} has no program: install the package first (docs/install-linux.md)`);
}

const isEnrolled = (paths: StatePaths): boolean =>
  existsSync(paths.config) && asOwnerOf(paths.keys, () => readPinned(paths)) !== undefined;

function stop(run: Run): void {
  if (existsSync(BOOTED) && existsSync(LAYOUT.unit)) must(run, "systemctl", ["stop", UNIT]);
}

function writeUnit({ name, group }: Account): void {
  mkdirSync(dirname(LAYOUT.unit), { recursive: true });
  writeFileDurably(LAYOUT.unit, unitText({ account: name, group, credential: presentCredential() }), 0o644);
}
