import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Clock } from "../../clock.ts";
import { ConfigError } from "../../config-error.ts";
import { type StatePaths, statePaths } from "../../state.ts";
import type { Wanted } from "./control-manager.ts";
import { dueSddl } from "./rights.ts";
import { RIGHTS } from "./sddl.ts";
import {
  accountOf,
  commandOf,
  type Installation,
  installService,
  leftovers,
  serviceStatus,
  uninstallService,
} from "./service.ts";
import { judgedFor } from "./trust.ts";
import type { Windows } from "./windows.ts";

let folder: string;
let paths: StatePaths;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-windows-"));
  const [configuration, root] = [join(folder, "data", "config"), join(folder, "data", "state")];
  paths = {
    ...statePaths(root),
    configuration,
    config: join(configuration, "agent.yaml"),
    policy: join(configuration, "policy.yaml"),
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

const INHERITED = "O:BAD:AI(A;ID;FA;;;BU)";
const CLOSED = "O:BAD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)";

/** A machine that keeps what it is told, and what was done to it in which order. */
function machine() {
  const lists = new Map<string, string>();
  const done: string[] = [];
  let service: Wanted | undefined;
  let state: "running" | "stopPending" | "stopped" = "stopped";
  let account = "";
  const windows: Windows = {
    ensureService(wanted) {
      done.push("ensure");
      service = wanted;
      account = wanted.logon?.account ?? account;
      return [];
    },
    readConfiguration: () =>
      service === undefined ? undefined : { command: service.command, account, startsWithMachine: true },
    readState: () => {
      if (service === undefined) return undefined;
      const now = { state, pid: state === "stopped" ? null : 4711, exitCode: state === "stopped" ? 1077 : 0 } as const;
      if (state === "stopPending") state = "stopped";
      return now;
    },
    startService: () => {
      done.push("start");
      state = "running";
    },
    stopService: () => {
      done.push("stop");
      state = "stopPending";
    },
    deleteService: () => {
      done.push("delete");
      service = undefined;
    },
    changeService: () => done.push("change"),
    setServiceAccess: () => done.push("access"),
    registerSource: () => done.push("source"),
    unregisterSource: () => done.push("no source"),
    lookUpSid: (name) => (name.startsWith("CORP\\") ? Buffer.from(name) : undefined),
    allowServiceLogon: (sid) => done.push(`allow ${Buffer.from(sid)}`),
    readSddl: (path) => lists.get(path) ?? (/program|^\W*$/.test(path) ? CLOSED : INHERITED),
    writeSddl: (path, sddl) => lists.set(path, sddl),
    makeFolder(path, sddl) {
      if (existsSync(path)) return false;
      mkdirSync(path);
      lists.set(path, sddl);
      return true;
    },
    isAdministrator: (name) => (name.startsWith("CORP\\") ? name === "CORP\\admin" : undefined),
  };
  const clock: Clock = { wallMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
  const rewrapped: string[] = [];
  const installation: Installation = {
    windows,
    paths,
    clock,
    layout: {
      data: join(folder, "data"),
      configuration: paths.configuration,
      state: paths.root,
      logs: join(paths.root, "logs"),
    },
    programFiles: [],
    program: ["C:\\Program Files\\Sallyport\\versions\\1.0.0\\sallyport.exe"],
    rewrap: (path) => {
      done.push("rewrap");
      rewrapped.push(path);
      return existsSync(path);
    },
  };
  return { installation, done, lists, rewrapped, wanted: () => service };
}

const pinned = {
  ...{ v: 1, agent: "a".repeat(32), tenant: "contoso", tenantName: "Contoso", site: "oslo", siteName: "Oslo" },
  ...{
    origin: "https://sallyport.example",
    relayHost: "relay.example",
    listenUrl: null,
    keysSeq: 0,
    keys: [{}],
    settings: {},
  },
};

describe("the verbs of the service on Windows", () => {
  it("install it under an account of its own, with rights, source and restarts, and start nothing that is not enrolled", async () => {
    const { installation, done, lists, wanted } = machine();
    const installed = await installService(installation);
    assert.deepEqual(installed, {
      ...{ account: "NT SERVICE\\Sallyport", unit: "Sallyport", enrolled: false, started: false, encrypted: false },
      ...{ unknown: [], kind: "virtual" },
    });
    assert.equal(wanted()?.command, '"C:\\Program Files\\Sallyport\\versions\\1.0.0\\sallyport.exe" service host');
    assert.deepEqual(wanted()?.logon, { account: "NT SERVICE\\Sallyport", password: null });
    assert.deepEqual(wanted()?.privileges, ["SeChangeNotifyPrivilege"]);
    assert.equal(lists.get(paths.keys), dueSddl(RIGHTS.change));
    assert.equal(lists.get(paths.configuration), dueSddl(RIGHTS.read));
    assert.ok(!done.includes("start"));
    assert.deepEqual(serviceStatus(installation).faults, []);
  });

  it("leave account and password alone when they are repeated without one", async () => {
    const { installation, wanted } = machine();
    await installService(installation, { account: "CORP\\svc", password: "secret" });
    assert.deepEqual(wanted()?.logon, { account: "CORP\\svc", password: "secret" });
    const again = await installService(installation);
    assert.equal(wanted()?.logon, undefined);
    assert.equal(again.account, "CORP\\svc");
    assert.equal(again.kind, "dedicated");
    assert.ok(!wanted()?.command.includes("secret"));
  });

  it("stop it before files change, wrap the keys anew, and start it again once it is enrolled", async () => {
    const { installation, done, rewrapped } = machine();
    await installService(installation);
    installation.windows.startService("Sallyport");
    writeFileSync(paths.config, "v: 1\n");
    writeFileSync(paths.identity, "{}");
    writeFileSync(paths.pinned, JSON.stringify(pinned));
    done.length = 0;
    const installed = await installService(installation);
    assert.deepEqual([installed.enrolled, installed.started, installed.encrypted], [true, true, true]);
    const order = [...new Set(done)];
    assert.deepEqual(order, ["stop", "rewrap", "source", "ensure", "start"]);
    const keys = [paths.identity, paths.unseal, paths.nextIdentity, paths.newIdentity, paths.newUnseal, paths.maskKey];
    for (const path of keys) assert.ok(rewrapped.includes(path), path);
  });

  it("start nothing with files that cannot be read, or a key that cannot be wrapped", async () => {
    const { installation, done } = machine();
    const failing = { ...installation, rewrap: () => assert.fail("CryptProtectData failed") };
    await assert.rejects(installService(failing), /CryptProtectData/);
    assert.deepEqual(done, []);
    await installService(installation);
    writeFileSync(paths.config, "v: 1\n");
    writeFileSync(paths.pinned, JSON.stringify({ ...pinned, tenant: 1 }));
    await assert.rejects(installService(installation));
    assert.ok(!done.some((each) => each === "start"));
  });

  it("give domain accounts the right to be a service's, and refuse those that are not there, before anything is changed", async () => {
    const { installation, done } = machine();
    await installService(installation, { account: "CORP\\svc$" });
    assert.ok(done.includes("allow CORP\\svc$"));
    done.length = 0;
    const wrong = [
      { account: "NOWHERE\\svc$" },
      { account: "CORP\\svc" },
      { account: "svc" },
      { account: "LocalSystem", password: "x" },
      { password: "x" },
    ];
    for (const options of wrong)
      await assert.rejects(installService(installation, options), ConfigError, options.account);
    assert.deepEqual(done, []);
    assert.equal(accountOf(installation), "CORP\\svc$");
  });

  it("make no service of a program that others can change, and change nothing then; its owner may say that it does not matter", async () => {
    const { installation, done, lists, wanted } = machine();
    mkdirSync(join(folder, "program"));
    const program = join(folder, "program", "sallyport.exe");
    writeFileSync(program, "");
    const of = { ...installation, programFiles: [program] };
    const openAt = (path: string) => {
      for (const each of judgedFor([program])) lists.set(each.path, CLOSED);
      lists.set(path, `${CLOSED}(A;ID;0x1301bf;;;AU)`);
    };
    for (const path of [program, join(folder, "program"), folder]) {
      openAt(path);
      await assert.rejects(installService(of), /others than administrators can change the program: .* S-1-5-11/, path);
    }
    assert.deepEqual([done, wanted(), existsSync(join(folder, "data"))], [[], undefined, false]);
    await installService(of, { insecureFiles: true });
    assert.match(wanted()?.command ?? "", / service host --insecure-files$/);
    assert.match(serviceStatus(of).faults.join(), /can be changed by S-1-5-11/);
    openAt("nothing");
    await installService(of);
    assert.match(wanted()?.command ?? "", / service host$/);
  });

  it("let it run as nobody who could change its own policy, unless its owner says so each time", async () => {
    const { installation, done, wanted } = machine();
    for (const [account, password] of [
      ["Local System", undefined],
      ["SYSTEM", undefined],
      ["CORP\\admin", "secret"],
    ] as const) {
      const refused = installService(installation, { account, password });
      await assert.rejects(refused, /could change its own policy/, account);
    }
    assert.deepEqual([done, wanted()], [[], undefined]);
    await installService(installation, { account: "Local System", insecureFiles: true });
    done.length = 0;
    await assert.rejects(installService(installation), /LocalSystem could change its own policy/);
    assert.deepEqual(done, []);
    await installService(installation, { account: "Network Service" });
    assert.equal(accountOf(installation), "NT AUTHORITY\\NetworkService");
  });

  it("take no folder that somebody made before, whatever is in it", async () => {
    const { installation, done, lists } = machine();
    const { data } = installation.layout;
    mkdirSync(paths.configuration, { recursive: true });
    writeFileSync(paths.policy, "v: 1\nconnections: {}\n");
    for (const sddl of [INHERITED, "O:S-1-5-21-1-2-3-1001D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)"]) {
      lists.set(data, sddl);
      await assert.rejects(installService(installation), /was not made by Sallyport: .*rename it/);
    }
    rmSync(data, { recursive: true });
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), data);
    lists.set(data, dueSddl(RIGHTS.read));
    await assert.rejects(installService(installation), /is a link/);
    assert.deepEqual(done, []);
    assert.deepEqual(readdirSync(join(folder, "elsewhere")), []);
  });

  it("say what Windows says of it, and files whose rights are wrong", async () => {
    const { installation, lists } = machine();
    assert.throws(() => serviceStatus(installation), /there is no service/);
    assert.throws(() => accountOf(installation), /there is no service/);
    await installService(installation);
    lists.set(paths.keys, "O:BAD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FR;;;BU)");
    const { faults, ...status } = serviceStatus(installation);
    assert.match(faults.join(), /keys: open to S-1-5-32-545/);
    assert.deepEqual(status, {
      ...{
        state: "stopped",
        pid: null,
        exitCode: null,
        enabled: true,
        restarts: null,
        account: "NT SERVICE\\Sallyport",
      },
    });
  });

  it("remove it with its source and leave policy, keys and journal, or nothing", async () => {
    const { installation, done } = machine();
    await installService(installation);
    installation.windows.startService("Sallyport");
    done.length = 0;
    await uninstallService(installation, false);
    assert.deepEqual(done, ["stop", "delete", "no source"]);
    assert.deepEqual(leftovers(installation), [paths.configuration, paths.root]);
    await uninstallService(installation, true);
    assert.deepEqual(leftovers(installation), []);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("make and remove the updater's service where the program can be updated, and touch nothing while an update is under way", async () => {
    const { installation, done, wanted, lists } = machine();
    const versions = join(folder, "versions");
    mkdirSync(versions);
    const updater = { program: "C:\\p\\sallyport.exe", own: join(folder, "update"), versions, remove: () => {} };
    const of = { ...installation, updater };
    await installService(of);
    assert.match(wanted()?.command ?? "", / service update-host$/);
    assert.equal(wanted()?.startsWithMachine, false);
    assert.deepEqual(done.slice(-3), ["ensure", "ensure", "access"]);
    assert.deepEqual(serviceStatus(of).faults, []);
    lists.set(updater.own, dueSddl(RIGHTS.change));
    assert.match(serviceStatus(of).faults.join(), /update: the service may do more than it should/);
    lists.set(updater.own, INHERITED);
    assert.match(serviceStatus(of).faults.join(), /update takes over who may write/);
    of.windows.startService("SallyportUpdate");
    done.length = 0;
    await assert.rejects(installService(of, { account: "Network Service" }), /an update is under way/);
    await assert.rejects(uninstallService(of, true), /an update is under way/);
    assert.deepEqual(done, []);
    const over = { ...of, windows: { ...of.windows, readState: () => undefined } };
    await uninstallService(over, false);
    assert.deepEqual(done, ["delete", "delete", "no source"]);
    assert.ok(!existsSync(updater.own));
  });

  it("write a command that no folder's name ends early", () => {
    assert.equal(commandOf(["C:\\a b\\node.exe", "C:\\c\\m.mjs"]), '"C:\\a b\\node.exe" "C:\\c\\m.mjs" service host');
    assert.equal(commandOf(["C:\\m.exe"], true), '"C:\\m.exe" service host --insecure-files');
    for (const part of ['C:\\a"b', "C:\\a\\", "C:\\a\0"]) assert.throws(() => commandOf([part]), ConfigError);
  });
});
