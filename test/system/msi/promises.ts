/**
 * What docs/install-windows.md promises of the installer, looked for in its tables. The values stand here again, on purpose: what is
 * compared with its own source is always right. Each promise comes with a change of the finished installer that breaks it.
 */
import assert from "node:assert/strict";
import type { Read, Row } from "./tables.ts";

export interface Promised {
  readonly name: string;
  /** @throws AssertionError where the installer does not keep it */
  check(read: Read): void;
  /** A statement for `msibuild -q` after which it is broken. */
  readonly broken: string;
}

/** Full control, and nothing inherited; owned by administrators. */
const OWNERS = "O:BAD:PAI(A;OICI;0x1f01ff;;;S-1-5-18)(A;OICI;0x1f01ff;;;S-1-5-32-544)";
/** Whoever owns a file may look at its list, and no more. */
const OWNER_RIGHTS = "(A;OICI;0x20000;;;S-1-3-4)";
/** NT SERVICE\Sallyport, from `sc.exe showsid Sallyport`'s rule. */
const SERVICE_SID = "S-1-5-80-3043066180-1104749053-2676198074-880087027-2369459609";

export const PROMISES: readonly Promised[] = [
  {
    name: "the service runs as its own account, without a password",
    check: (read) => fits(service(read, "Sallyport"), { StartName: "NT SERVICE\\Sallyport", Password: "" }),
    broken: "UPDATE `ServiceInstall` SET `StartName` = 'LocalSystem'",
  },
  {
    name: "it starts the installed program as the service's host, in a process of its own",
    check(read) {
      fits(service(read, "Sallyport"), { Name: "Sallyport", Arguments: "service host", ServiceType: "16" });
      const { KeyPath } = row(read, "Component", "Component", service(read, "Sallyport").Component_!);
      assert.equal(KeyPath, "sallyport.exe");
    },
    broken: "UPDATE `ServiceInstall` SET `Arguments` = 'service host --verbose'",
  },
  {
    name: "it starts with Windows, after the others",
    check(read) {
      fits(service(read, "Sallyport"), { StartType: "2", ErrorControl: "1" });
      assert.equal(configured(read, "3"), "1");
    },
    broken: "UPDATE `MsiServiceConfig` SET `Argument` = '0' WHERE `ConfigType` = 3",
  },
  {
    name: "its own SID is in its token under any account, and one privilege; it has time to stop when Windows does",
    check(read) {
      assert.equal(configured(read, "7"), "90000");
      assert.equal(configured(read, "5"), "1");
      assert.equal(configured(read, "6"), "SeChangeNotifyPrivilege");
    },
    broken: "UPDATE `MsiServiceConfig` SET `Argument` = 'SeDebugPrivilege' WHERE `ConfigType` = 6",
  },
  {
    name: "after a failure it is started again, after 5 seconds, then one minute, then five",
    check(read) {
      fits(only(read, "MsiServiceConfigFailureActions"), {
        ...{ Name: "Sallyport", Event: "5", ResetPeriod: "86400", Command: "", RebootMessage: "" },
        ...{ Actions: "1[~]1[~]1", DelayActions: "5000[~]60000[~]300000" },
      });
      assert.equal(configured(read, "4"), "0");
    },
    broken: "UPDATE `MsiServiceConfigFailureActions` SET `Actions` = '1[~]0[~]0'",
  },
  {
    name: "something reads those tables, after the service is there",
    check: (read) => inOrder(read, "InstallServices", "MsiConfigureServices", "StartServices"),
    broken: "DELETE FROM `InstallExecuteSequence` WHERE `Action` = 'MsiConfigureServices'",
  },
  {
    name: "the service is stopped before files change, and removed with them; the installation does not start it",
    check(read) {
      // 2 and 32: stop at both; 128: delete at removal; no 1: start.
      for (const name of SERVICES)
        fits(row(read, "ServiceControl", "Name", name), { Event: `${2 | 32 | 128}`, Wait: "1" });
      assert.equal(read.table("ServiceControl").length, SERVICES.length);
      inOrder(read, "StopServices", "DeleteServices", "RemoveFiles", "InstallFiles", "InstallServices");
    },
    broken: "UPDATE `ServiceControl` SET `Event` = 163",
  },
  {
    name: "the updater is the same program as Local System, which nothing starts by itself",
    check(read) {
      fits(service(read, "SallyportUpdate"), {
        ...{ StartName: "LocalSystem", Password: "", Arguments: "service update-host", ServiceType: "16" },
        ...{ StartType: "3", ErrorControl: "1", Component_: service(read, "Sallyport").Component_! },
      });
      assert.deepEqual(
        read
          .table("ServiceInstall")
          .map(({ Name }) => Name)
          .sort(),
        SERVICES,
      );
    },
    broken: "UPDATE `ServiceInstall` SET `StartType` = 2 WHERE `Name` = 'SallyportUpdate'",
  },
  {
    name: "the folders of the owner and of the agent are closed to all others, whatever their parents say",
    check(read) {
      const folders: Readonly<Record<string, string>> = {
        Sallyport: "0x1200a9",
        "Sallyport\\config": "0x1200a9",
        "Sallyport\\state": "0x1301bf",
      };
      const locks = read.table("MsiLockPermissionsEx");
      const found = locks.map(({ LockObject, Table, SDDLText, Condition }) => {
        assert.deepEqual([Table, Condition], ["CreateFolder", ""]);
        return [pathOf(read, LockObject!).replace("CommonAppDataFolder\\", ""), SDDLText];
      });
      const wanted = Object.entries(folders).map(([path, rights]) => [
        path,
        `${OWNERS}(A;OICI;${rights};;;${SERVICE_SID})${OWNER_RIGHTS}`,
      ]);
      assert.deepEqual(Object.fromEntries(found), Object.fromEntries(wanted));
      const locked = locks.map(({ LockObject }) => pathOf(read, LockObject!)).sort();
      assert.deepEqual(
        foldersOf(read, (component) => !isProgram(component)),
        locked,
      );
    },
    broken:
      "UPDATE `MsiLockPermissionsEx` SET `SDDLText` = 'D:(A;OICI;FA;;;BU)' WHERE `MsiLockPermissionsEx` = 'State'",
  },
  {
    name: "no property means anything to it, none is secret, and what somebody gives by mistake is kept out of the log",
    check(read) {
      const properties = Object.fromEntries(read.table("Property").map(({ Property, Value }) => [Property, Value]));
      const { MsiHiddenProperties, SecureCustomProperties, ...others } = properties;
      assert.deepEqual(Object.keys(others).sort(), [
        ...["ALLUSERS", "ARPNOMODIFY", "Manufacturer", "ProductCode", "ProductLanguage", "ProductName"],
        ...["ProductVersion", "REBOOT", "UpgradeCode"],
      ]);
      const hidden = MsiHiddenProperties?.split(";") ?? [];
      for (const name of ["CODE", "PASSWORD", "PROXYPASSWORD", "SECRET", "TOKEN"])
        assert.ok(hidden.includes(name), name);
      assert.equal(SecureCustomProperties, "WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED");
      // A property in a row would be a way in.
      for (const { StartName, Arguments } of read.table("ServiceInstall"))
        assert.doesNotMatch(`${StartName}${Arguments}`, /\[/);
    },
    broken: "INSERT INTO `Property` (`Property`, `Value`) VALUES ('ENROLMENT', '-')",
  },
  {
    name: "no program of ours or anybody's runs while it installs",
    check(read) {
      assert.deepEqual(read.table("CustomAction"), []);
      assert.deepEqual(read.table("Binary"), []);
    },
    broken:
      "INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Run', 18, 'sallyport.exe', 'x')",
  },
  {
    name: "the event log knows the source and whose texts it shows",
    check(read) {
      const key = "SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\Sallyport";
      const values = read.table("Registry").map(({ Root, Key, Name, Value }) => [Root, Key, Name, Value]);
      assert.deepEqual(values, [
        ["2", key, "EventMessageFile", "#%%SystemRoot%\\System32\\EventCreate.exe"],
        ["2", key, "TypesSupported", "#7"],
      ]);
    },
    broken: "UPDATE `Registry` SET `Value` = 'messages.dll' WHERE `Registry` = 'EventMessageFile'",
  },
  {
    name: "it is of the machine, for 64-bit Windows with Windows Installer 5, and never restarts Windows",
    check(read) {
      fits(read.summary, { Template: "x64;1033", Version: "500 (1f4)", Security: "2 (2)" });
      assert.equal(row(read, "Property", "Property", "ALLUSERS").Value, "1");
      assert.equal(row(read, "Property", "Property", "REBOOT").Value, "ReallySuppress");
      for (const { Component, Attributes } of read.table("Component")) assert.equal(Attributes, "256", Component);
      assert.deepEqual(
        new Set(read.table("Directory").map(({ Directory }) => pathOf(read, Directory!).split("\\")[0])),
        new Set(["TARGETDIR", "ProgramFiles64Folder", "CommonAppDataFolder"]),
      );
    },
    broken: "UPDATE `Component` SET `Attributes` = 0 WHERE `Component` = 'Program'",
  },
  {
    name: "it takes the place of older versions, gives them back where it fails, and refuses to go back itself",
    check(read) {
      const version = row(read, "Property", "Property", "ProductVersion").Value!;
      const family = "{7584C059-A586-54E5-AB36-C4CB4006F237}";
      assert.deepEqual(
        read
          .table("Upgrade")
          .map((each) => [each.UpgradeCode, each.VersionMin, each.VersionMax, each.Attributes, each.ActionProperty]),
        [
          [family, "", version, "1", "WIX_UPGRADE_DETECTED"],
          [family, version, "", "2", "WIX_DOWNGRADE_DETECTED"],
        ],
      );
      inOrder(read, "InstallInitialize", "RemoveExistingProducts", "ProcessComponents", "InstallFiles");
      assert.deepEqual(
        read.table("LaunchCondition").map(({ Condition }) => Condition),
        ["NOT WIX_DOWNGRADE_DETECTED"],
      );
    },
    broken: "UPDATE `InstallExecuteSequence` SET `Sequence` = 6700 WHERE `Action` = 'RemoveExistingProducts'",
  },
  {
    name: "the program's folder is in the machine's PATH as long as it is installed",
    check(read) {
      const { Name, Value } = only(read, "Environment");
      assert.deepEqual([Name, Value], ["=-*PATH", "[~];[ProgramVersion]"]);
      assert.equal(
        pathOf(read, "ProgramVersion").replace(/\d+\.\d+\.\d+$/, "V"),
        "ProgramFiles64Folder\\Sallyport\\versions\\V",
      );
      inOrder(read, "RemoveEnvironmentStrings", "InstallFiles", "WriteEnvironmentStrings");
    },
    broken: "UPDATE `Environment` SET `Name` = '=*PATH'",
  },
  {
    name: "with the program go its folders, where nothing else is in them, and no file that it did not bring",
    check(read) {
      const version = row(read, "Property", "Property", "ProductVersion").Value!;
      const folder = "ProgramFiles64Folder\\Sallyport";
      const folders = [folder, `${folder}\\versions`, `${folder}\\versions\\${version}`];
      assert.deepEqual(foldersOf(read, isProgram), folders);
      assert.deepEqual(read.table("RemoveFile"), []);
      inOrder(read, "RemoveFiles", "RemoveFolders", "CreateFolders", "InstallFiles");
    },
    broken: "DELETE FROM `CreateFolder` WHERE `Directory_` = 'Program_2'",
  },
];

const SERVICES = ["Sallyport", "SallyportUpdate"];
const service = (read: Read, name: string): Row => row(read, "ServiceInstall", "Name", name);

function only(read: Read, table: string): Row {
  const rows = read.table(table);
  assert.equal(rows.length, 1, `rows of ${table}`);
  return rows[0]!;
}

function row(read: Read, table: string, column: string, value: string): Row {
  const found = read.table(table).find((each) => each[column] === value);
  assert.ok(found, `${table} has no ${value}`);
  return found;
}

function fits(found: Row, wanted: Row): void {
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((column) => [column, found[column]])), wanted);
}

function configured(read: Read, type: string): string | undefined {
  const { Name, Event, Argument } = row(read, "MsiServiceConfig", "ConfigType", type);
  assert.deepEqual([Name, Event], ["Sallyport", "5"]);
  return Argument;
}

const isProgram = (component: string): boolean => component === "Program";

/** What is made for these components, and removed with them where it is empty. */
const foldersOf = (read: Read, isWanted: (component: string) => boolean): string[] =>
  read
    .table("CreateFolder")
    .filter(({ Component_ }) => isWanted(Component_!))
    .map(({ Directory_ }) => pathOf(read, Directory_!))
    .sort();

function inOrder(read: Read, ...actions: readonly string[]): void {
  const places = actions.map((action) => Number(row(read, "InstallExecuteSequence", "Action", action).Sequence));
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
    actions.join(", "),
  );
}

/** A folder's path from what Windows Installer knows by itself, in long names. */
export function pathOf(read: Read, directory: string): string {
  const { Directory_Parent, DefaultDir } = row(read, "Directory", "Directory", directory);
  if (Directory_Parent === "" || DefaultDir === ".") return directory;
  return `${pathOf(read, Directory_Parent!)}\\${DefaultDir!.split("|").at(-1)}`;
}
