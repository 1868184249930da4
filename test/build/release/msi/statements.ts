/**
 * What wixl cannot say, as SQL over the finished tables (the dialect of Windows Installer, as `msibuild -q` takes it). Column types
 * are those of the schema in Microsoft's Windows Installer reference, table by table. Pure.
 */
import type { Installer, Service } from "./description.ts";
import { installerName } from "./names.ts";
import { EVENT_MESSAGE_FILE, fileId, PROGRAM_COMPONENT, PROGRAM_FOLDER, programFolderIds } from "./wxs.ts";

type Value = string | number | undefined;

/** @param versions of the files that say one of themselves (version-resource.ts), by name */
export const statementsOf = (installer: Installer, versions: Readonly<Record<string, string>>): string[] => [
  ...names(installer),
  ...fileVersions(versions),
  ...properties(installer),
  // After InitializeInstall: a version that cannot be installed gives the one before it back.
  "UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'",
  ...eventSourceText(installer),
  ...permissions(installer),
  ...serviceConfiguration(installer.service),
  ...searchPath(),
  ...emptyFolders(installer),
];

/** Short names for the machines that keep them; wixl writes the long ones only. */
function names({ files, programFolder }: Installer): string[] {
  const shorts = files.map(({ name }) => installerName(name).split("|")[0]!.toUpperCase());
  if (new Set(shorts).size < shorts.length) throw new Error(`two files have one short name: ${shorts.join(", ")}`);
  const version = programFolder.at(-1)!;
  return [
    ...files.map(({ name }) => update("File", { FileName: installerName(name) }, { File: fileId(name) })),
    update("Directory", { DefaultDir: installerName(version) }, { Directory: PROGRAM_FOLDER }),
  ];
}

/** A file that says its version is compared by that; the sum of its content is for the others. */
const fileVersions = (versions: Readonly<Record<string, string>>): string[] =>
  Object.entries(versions).flatMap(([name, version]) => [
    update("File", { Version: version, Language: "1033" }, { File: fileId(name) }),
    `DELETE FROM \`MsiFileHash\` WHERE \`File_\` = ${quoted(fileId(name))}`,
  ]);

const properties = ({ hiddenProperties }: Installer): string[] => [
  insert("Property", { Property: "MsiHiddenProperties", Value: hiddenProperties.join(";") }),
];

/** `#%`: REG_EXPAND_SZ. */
const eventSourceText = ({ eventSource }: Installer): string[] => [
  update("Registry", { Value: `#%${eventSource.messageFile}` }, { Registry: EVENT_MESSAGE_FILE }),
];

const permissions = ({ dataFolders }: Installer): string[] => [
  "CREATE TABLE `MsiLockPermissionsEx` (`MsiLockPermissionsEx` CHAR(72) NOT NULL, `LockObject` CHAR(72) NOT NULL, `Table` CHAR(32) NOT NULL, `SDDLText` CHAR(0) NOT NULL, `Condition` CHAR(255) PRIMARY KEY `MsiLockPermissionsEx`)",
  ...dataFolders.map(({ id, sddl }) =>
    insert("MsiLockPermissionsEx", { MsiLockPermissionsEx: id, LockObject: id, Table: "CreateFolder", SDDLText: sddl }),
  ),
];

/** Bits of the column Event. */
const ON_INSTALL_AND_REINSTALL = 1 | 4;
/** SERVICE_CONFIG_… of winsvc.h. */
const DELAYED_AUTO_START = 3;
const FAILURE_ACTIONS_FLAG = 4;
const SERVICE_SID_INFO = 5;
const REQUIRED_PRIVILEGES_INFO = 6;
const PRESHUTDOWN_INFO = 7;
const RESTART = 1;

function serviceConfiguration(service: Service): string[] {
  const { name, restartDelaysMs, failuresForgottenAfterSeconds, privileges, stopWithinMs } = service;
  const common = { Name: name, Event: ON_INSTALL_AND_REINSTALL, Component_: PROGRAM_COMPONENT };
  const list = (values: readonly (string | number)[]) => values.join("[~]");
  const configured: readonly (readonly [id: string, type: number, argument: string])[] = [
    ["Delayed", DELAYED_AUTO_START, "1"],
    // Only after a crash of the host: where it stops by itself, the agent would end the same way again.
    ["FailureFlag", FAILURE_ACTIONS_FLAG, "0"],
    // Whichever account it runs as later, the service's own SID stays in its token, and the folders' rights hold.
    ["Sid", SERVICE_SID_INFO, "1"],
    ["Privileges", REQUIRED_PRIVILEGES_INFO, list(privileges)],
    ["Shutdown", PRESHUTDOWN_INFO, `${stopWithinMs}`],
  ];
  return [
    "CREATE TABLE `MsiServiceConfig` (`MsiServiceConfig` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Event` SHORT NOT NULL, `ConfigType` LONG NOT NULL, `Argument` CHAR(0), `Component_` CHAR(72) NOT NULL PRIMARY KEY `MsiServiceConfig`)",
    ...configured.map(([id, ConfigType, Argument]) =>
      insert("MsiServiceConfig", { MsiServiceConfig: id, ...common, ConfigType, Argument }),
    ),
    "CREATE TABLE `MsiServiceConfigFailureActions` (`MsiServiceConfigFailureActions` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Event` SHORT NOT NULL, `ResetPeriod` LONG, `RebootMessage` CHAR(255) LOCALIZABLE, `Command` CHAR(255) LOCALIZABLE, `Actions` CHAR(255), `DelayActions` CHAR(255), `Component_` CHAR(72) NOT NULL PRIMARY KEY `MsiServiceConfigFailureActions`)",
    insert("MsiServiceConfigFailureActions", {
      MsiServiceConfigFailureActions: name,
      ...common,
      ResetPeriod: failuresForgottenAfterSeconds,
      Actions: list(restartDelaysMs.map(() => RESTART)),
      DelayActions: list(restartDelaysMs),
    }),
    // Without this action nobody reads the two tables.
    action("MsiConfigureServices", 5850, 'VersionMsi >= "5.00"'),
  ];
}

/** The program's folder at the end of the system's PATH, and out of it again. */
const searchPath = (): string[] => [
  "CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)",
  // `=` sets it, `-` takes it away with the component, `*` is the machine's and no user's.
  insert("Environment", {
    ...{ Environment: "Path", Name: "=-*PATH", Value: `[~];[${PROGRAM_FOLDER}]` },
    Component_: PROGRAM_COMPONENT,
  }),
  action("RemoveEnvironmentStrings", 3300),
  action("WriteEnvironmentStrings", 5200),
];

/** Folders that are made for the program go with it, where nothing else is in them. */
const emptyFolders = (installer: Installer): string[] =>
  [...programFolderIds(installer), PROGRAM_FOLDER].map((Directory_) =>
    insert("CreateFolder", { Directory_, Component_: PROGRAM_COMPONENT }),
  );

const action = (Action: string, Sequence: number, Condition?: string): string =>
  insert("InstallExecuteSequence", { Action, Condition, Sequence });

function insert(table: string, row: Readonly<Record<string, Value>>): string {
  const cells = Object.entries(row).filter(([, value]) => value !== undefined);
  const columns = cells.map(([column]) => `\`${column}\``).join(", ");
  return `INSERT INTO \`${table}\` (${columns}) VALUES (${cells.map(([, value]) => quoted(value!)).join(", ")})`;
}

function update(table: string, row: Readonly<Record<string, Value>>, where: Readonly<Record<string, string>>): string {
  const equations = (cells: Readonly<Record<string, Value>>, between: string) =>
    Object.entries(cells)
      .map(([column, value]) => `\`${column}\` = ${quoted(value!)}`)
      .join(between);
  return `UPDATE \`${table}\` SET ${equations(row, ", ")} WHERE ${equations(where, " AND ")}`;
}

/** The dialect knows no way to write a quote within one. */
function quoted(value: string | number): string {
  if (typeof value === "number") return `${value}`;
  if (value.includes("'")) throw new Error(`${value} cannot stand in a statement`);
  return `'${value}'`;
}
