import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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
  type Windows,
} from "./service.ts";

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
    registerSource: () => done.push("source"),
    unregisterSource: () => done.push("no source"),
    lookUpSid: (name) => (name.startsWith("CORP\\") ? Buffer.from(name) : undefined),
    allowServiceLogon: (sid) => done.push(`allow ${Buffer.from(sid)}`),
    readSddl: (path) => lists.get(path) ?? "O:BAD:AI(A;ID;FA;;;BU)",
    writeSddl: (path, sddl) => lists.set(path, sddl),
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
    for (const path of [paths.identity, paths.unseal, paths.nextIdentity, paths.newIdentity, paths.newUnseal])
      assert.ok(rewrapped.includes(path), path);
  });

  it("start nothing with files that cannot be read, or a key that cannot be wrapped", async () => {
    const { installation, done } = machine();
    const failing = { ...installation, rewrap: () => assert.fail("CryptProtectData failed") };
    await assert.rejects(installService(failing), /CryptProtectData/);
    assert.deepEqual(done, []);
    await installService(installation);
    writeFileSync(paths.config, "v: 1\n");
    writeFileSync(paths.pinned, JSON.stringify({ ...pinned, more: 1 }));
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

  it("write a command that no folder's name ends early", () => {
    assert.equal(commandOf(["C:\\a b\\node.exe", "C:\\c\\m.mjs"]), '"C:\\a b\\node.exe" "C:\\c\\m.mjs" service host');
    for (const part of ['C:\\a"b', "C:\\a\\", "C:\\a\0"]) assert.throws(() => commandOf([part]), ConfigError);
  });
});
