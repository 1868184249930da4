import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { removeBrought } from "../../update/windows/platform.ts";
import type { State, Wanted } from "./control-manager.ts";
import { dueSddl, SERVICE_SID } from "./rights.ts";
import { parseSddl, RIGHTS } from "./sddl.ts";
import {
  ensureUpdater,
  programFor,
  refuseWhileUpdating,
  removeUpdater,
  type UpdaterPlaces,
  updaterSddl,
} from "./update-service.ts";

let folder: string;
let places: UpdaterPlaces;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-update-service-"));
  const versions = join(folder, "versions");
  mkdirSync(versions);
  const program = "C:\\Program Files\\Sallyport\\versions\\1.0.0\\sallyport.exe";
  places = { program, own: join(folder, "update"), versions, remove: removeBrought };
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the updater's service", () => {
  it("may be started by the agent, which may do nothing else with it, and by nobody but administrators besides", () => {
    const [START, STOP, CHANGE, GIVE] = [0x10, 0x20, 0x2, 0x40000 | 0x80000 | 0x10000];
    const { aces } = parseSddl(updaterSddl());
    const may = (right: number): string[] => aces.filter(({ mask }) => (mask & right) !== 0).map(({ sid }) => sid);
    const owners = ["S-1-5-18", "S-1-5-32-544"];
    assert.deepEqual(may(START), [...owners, SERVICE_SID]);
    for (const right of [STOP, CHANGE, GIVE]) assert.deepEqual(may(right), owners);
  });

  it("is Local System's, on demand, with one privilege, in a folder that only administrators write", () => {
    const made: (Wanted | readonly string[])[] = [];
    const windows = {
      ensureService: (wanted: Wanted) => {
        made.push(wanted);
        return [];
      },
      setServiceAccess: (...given: readonly string[]) => made.push(given),
      makeFolder: (...given: readonly string[]) => {
        made.push(given);
        return false;
      },
      writeSddl: (...given: readonly string[]) => made.push(given),
      readConfiguration: () => undefined,
    };
    ensureUpdater(windows, places, [5_000], ["SeChangeNotifyPrivilege"]);
    const list = dueSddl(RIGHTS.read);
    assert.deepEqual(made, [
      [places.own, list],
      [places.own, list],
      {
        ...{ name: "SallyportUpdate", displayName: "Sallyport updater" },
        description:
          "Verifies what the Sallyport agent has downloaded, installs it, and goes back where it does not work.",
        command: '"C:\\Program Files\\Sallyport\\versions\\1.0.0\\sallyport.exe" service update-host',
        logon: { account: "LocalSystem", password: null },
        ...{ restartAfterMs: [5_000], privileges: ["SeChangeNotifyPrivilege"], preshutdownMs: undefined },
        startsWithMachine: false,
      },
      ["SallyportUpdate", updaterSddl()],
    ]);
  });

  it("and the agent's stay of a newer version that an update brought, as long as that is there", () => {
    const of = (version: string): string => join(places.versions, version, "sallyport.exe");
    const keeps = (version: string): string => {
      const command = `"${of(version)}" service host`;
      const windows = { readConfiguration: () => ({ command, account: "", startsWithMachine: true }) };
      return programFor(windows, "Sallyport", { ...places, program: of("1.2.0") });
    };
    for (const version of ["1.1.0", "1.10.0"]) {
      mkdirSync(join(places.versions, version));
      writeFileSync(of(version), "");
    }
    assert.equal(keeps("1.10.0"), of("1.10.0"));
    for (const version of ["1.1.0", "1.2.0", "1.11.0"]) assert.equal(keeps(version), of("1.2.0"), version);
  });

  it("is not changed while an update is under way", () => {
    const in_ = (state: State["state"] | undefined) => ({
      readState: () => (state === undefined ? undefined : { state, pid: null, exitCode: 0 }),
    });
    for (const state of [undefined, "stopped"] as const) refuseWhileUpdating(in_(state));
    for (const state of ["startPending", "running", "stopPending"] as const)
      assert.throws(() => refuseWhileUpdating(in_(state)), /an update is under way/);
  });

  it("goes with its folder, and with the versions that it brought, not with the installer's", () => {
    for (const [version, note] of [
      ["1.0.0", undefined],
      ["1.1.0", "release.json"],
    ] as const) {
      mkdirSync(join(places.versions, version));
      for (const name of ["sallyport.exe", ...(note === undefined ? [] : [note])])
        writeFileSync(join(places.versions, version, name), "");
    }
    mkdirSync(places.own);
    const gone: string[] = [];
    removeUpdater({ deleteService: (name) => gone.push(name) }, places);
    assert.deepEqual(gone, ["SallyportUpdate"]);
    const left = ["update", "versions/1.0.0", "versions/1.1.0"].filter((path) => existsSync(join(folder, path)));
    assert.deepEqual(left, ["versions/1.0.0"]);
  });
});
