import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Clock } from "../../clock.ts";
import type { State } from "../../install/windows/control-manager.ts";
import { windowsPlaces } from "./places.ts";
import { isOwnersBy, removeBrought, windowsPlatform, windowsService } from "./platform.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-windows-update-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function versionFolder(version: string, ...files: readonly string[]): string {
  const made = join(folder, "versions", version);
  mkdirSync(made, { recursive: true });
  for (const name of files) writeFileSync(join(made, name), "");
  return made;
}

describe("an installation on Windows", () => {
  it("is a folder of versions with the program in it, and names versions by its two services", () => {
    const of = (path: string) => windowsPlaces("/state", path, { configuration: "/config" });
    assert.equal(of(versionFolder("1.0.0")), undefined);
    const places = of(versionFolder("1.0.0", "sallyport.exe"));
    assert.deepEqual([places?.current, places?.updater], ["Sallyport", "SallyportUpdate"]);
    assert.deepEqual([places?.own, places?.staged], [join(folder, "update"), "/state/update"]);
    assert.equal(of(versionFolder("latest", "sallyport.exe")), undefined);
    assert.equal(of(folder), undefined);
  });

  it("says which services are missing instead of making one", () => {
    const none = { readConfiguration: () => undefined, changeService: () => assert.fail("nothing to change") };
    const platform = windowsPlatform(none, { versions: folder }, () => true);
    assert.equal(platform.versionOf("Sallyport"), undefined);
    assert.throws(() => platform.repoint("Sallyport", "1.0.0"), /there is no service Sallyport/);
    platform.startWithMachine?.(true);
  });

  it("believes files that only administrators can write", () => {
    const policy = join(folder, "policy.yaml");
    const closed = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";
    const lists = new Map<string, string>();
    const isOwners = isOwnersBy({ readSddl: (path) => lists.get(path) ?? closed });
    assert.equal(isOwners(policy), false);
    writeFileSync(policy, "");
    assert.equal(isOwners(policy), true);
    lists.set(policy, `${closed}(A;;0x1301bf;;;S-1-5-80-1-2-3-4-5)`);
    assert.equal(isOwners(policy), false);
  });

  it("lets go only what an update brought", () => {
    const [installed, brought] = [
      versionFolder("1.0.0", "sallyport.exe"),
      versionFolder("1.1.0", "sallyport.exe", "release.json"),
    ];
    for (const each of [installed, brought]) removeBrought(each);
    assert.deepEqual([existsSync(installed), existsSync(brought)], [true, false]);
  });

  it("keeps a version whose program runs for another time, whole", () => {
    const brought = versionFolder("1.1.0", "release.json");
    // What cannot be removed as a file is, here, a folder.
    mkdirSync(join(brought, "sallyport.exe"));
    removeBrought(brought);
    assert.ok(existsSync(join(brought, "release.json")));
  });
});

describe("the agent's service, as an update needs it", () => {
  const clock: Clock = { wallMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
  const state = (name: State["state"]): State => ({ state: name, pid: null, exitCode: 0 });

  it("is stopped once it runs, and waited for until it has", async () => {
    const states = ["startPending", "running", "stopPending", "stopped"] as const;
    let at = 0;
    let orders = 0;
    const windows = {
      readState: () => state(states[at++] ?? "stopped"),
      stopService: () => {
        orders += 1;
      },
      startService: () => {},
    };
    await windowsService(windows, clock).stop();
    assert.deepEqual([at, orders], [4, 1]);
  });

  it("that cannot be started is one that never becomes healthy", async () => {
    let asked = 0;
    const windows = {
      ...{ readState: () => undefined, stopService: () => {} },
      startService: () => {
        asked += 1;
        throw new Error("StartService failed with 1053");
      },
    };
    await windowsService(windows, clock).start();
    assert.equal(asked, 1);
  });
});
