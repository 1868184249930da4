import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { makeFolders, type StatePaths, statePaths } from "../../state.ts";
import { dueSddl, duesOf, rightsFaults, SERVICE_SID, settleRights } from "./rights.ts";
import { RIGHTS } from "./sddl.ts";

let folder: string;
let paths: StatePaths;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-lists-"));
  const configuration = join(folder, "config");
  const own = statePaths(join(folder, "state"));
  paths = {
    ...own,
    configuration,
    config: join(configuration, "agent.yaml"),
    policy: join(configuration, "policy.yaml"),
  };
  makeFolders(paths);
  for (const file of [paths.config, paths.policy, paths.identity, paths.pinned, join(paths.control, "lock")])
    writeFileSync(file, "x");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Windows' lists, as far as they are asked. */
function lists(initial: Record<string, string> = {}) {
  const all = new Map(Object.entries(initial));
  return {
    readSddl: (path: string) => all.get(path) ?? "",
    writeSddl: (path: string, sddl: string) => all.set(path, sddl),
    all,
  };
}

describe("an installation's files on Windows", () => {
  it("are administrators', and the service reads what decides and changes what it writes", () => {
    const due = new Map([...duesOf(paths, folder)].map(({ path, mask }) => [path, mask]));
    for (const path of [
      folder,
      paths.configuration,
      paths.config,
      paths.policy,
      paths.control,
      join(paths.control, "lock"),
    ])
      assert.equal(due.get(path), RIGHTS.read, path);
    for (const path of [paths.root, paths.keys, paths.identity, paths.pinned, paths.journal, paths.run])
      assert.equal(due.get(path), RIGHTS.change, path);
    // What is not there is not made.
    assert.equal(due.has(join(paths.root, "logs")), false);
    mkdirSync(join(paths.root, "logs"));
    assert.ok([...duesOf(paths)].some(({ path }) => path === join(paths.root, "logs")));
  });

  it("are all that is there, also in folders that nobody expects; a link is not followed, and is at fault", () => {
    const planted = join(paths.configuration, "certificates", "deep");
    mkdirSync(planted, { recursive: true });
    writeFileSync(join(planted, "ca.pem"), "x");
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "theirs"), "x");
    symlinkSync(elsewhere, join(paths.journal, "old"));
    const due = new Map([...duesOf(paths)].map(({ path, mask }) => [path, mask]));
    assert.equal(due.get(join(planted, "ca.pem")), RIGHTS.read);
    assert.equal(due.has(join(paths.journal, "old", "theirs")), false);
    const windows = lists();
    settleRights(duesOf(paths), windows);
    const open = `${dueSddl(RIGHTS.read)}(A;OICI;FA;;;S-1-5-21-1-2-3-1001)`;
    windows.all.set(planted, open);
    const faults = rightsFaults(duesOf(paths), windows);
    assert.deepEqual(faults.map((fault) => fault.split(":")[0]).sort(), [planted, join(paths.journal, "old")].sort());
    assert.match(faults.join(), /old: is a link/);
    assert.match(faults.join(), /deep: open to S-1-5-21/);
  });

  it("have the policy out of the service's reach where all lies in one folder", () => {
    const one = statePaths(join(folder, "one"));
    makeFolders(one);
    writeFileSync(one.policy, "x");
    const masks = [...duesOf(one)].filter(({ path }) => path === one.policy).map(({ mask }) => mask);
    assert.equal(masks.at(-1), RIGHTS.read);
  });

  it("have no faults once they were settled, and folders come before their files", () => {
    const windows = lists();
    const order = [...duesOf(paths)].map(({ path }) => path);
    assert.ok(order.indexOf(paths.keys) < order.indexOf(paths.identity));
    settleRights(duesOf(paths), windows);
    assert.deepEqual(rightsFaults(duesOf(paths), windows), []);
    assert.equal(windows.all.get(paths.policy), dueSddl(RIGHTS.read));
    assert.match(dueSddl(RIGHTS.change), /\(A;OICI;0x20000;;;S-1-3-4\)$/);
  });

  const given = (mask: string, more = "", owner = "BA") =>
    `O:${owner}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;${mask};;;${SERVICE_SID})${more}`;
  const faultsOf = (mask: number, sddl: string) => rightsFaults([{ path: "x", mask }], lists({ x: sddl }));

  it("are as they should be also as Windows writes and inherits them", () => {
    assert.deepEqual(faultsOf(RIGHTS.read, given("0x1200a9")), []);
    assert.deepEqual(faultsOf(RIGHTS.change, given("0x1301bf", "", SERVICE_SID)), []);
    // Who made it is not asked: an owner of such a list may only look at it.
    const shared = given("0x1301bf", "(A;OICI;RC;;;OW)", "NS");
    assert.deepEqual(faultsOf(RIGHTS.change, shared), []);
    const inherited = `O:SYD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1301bf;;;${SERVICE_SID})`;
    assert.deepEqual(faultsOf(RIGHTS.change, inherited), []);
  });

  it("are at fault where anybody else gets in, the service can do more or less, or an owner could open them", () => {
    const wrong: readonly (readonly [number, string, RegExp])[] = [
      [RIGHTS.read, given("0x1200a9", "(A;ID;0x1200a9;;;BU)"), /open to S-1-5-32-545/],
      [RIGHTS.change, given("0x1301bf", "(A;OICIIO;GA;;;CO)"), /open to S-1-3-0/],
      [RIGHTS.change, given("0x1301bf", "(A;;FR;;;WD)(A;;FW;;;WD)"), /open to S-1-1-0$/],
      [RIGHTS.read, given("0x1301bf"), /more than it should/],
      [RIGHTS.change, given("FA"), /more than it should/],
      [RIGHTS.change, given("0x1200a9"), /less than it has to/],
      [RIGHTS.read, given("0x1200a9", "", SERVICE_SID), /belongs to S-1-5-80-/],
      [RIGHTS.read, given("0x1200a9", "", "S-1-5-21-1-2-3-1001"), /belongs to S-1-5-21/],
      [RIGHTS.change, given("0x1301bf", "(A;OICI;FA;;;OW)"), /whoever owns it may do more/],
      [RIGHTS.read, `O:BAD:P(A;;FA;;;SY)(A;;0x1200a9;;;${SERVICE_SID})`, /administrators may not/],
    ];
    for (const [mask, sddl, expected] of wrong) assert.match(faultsOf(mask, sddl).join(), expected, sddl);
    assert.throws(() => faultsOf(RIGHTS.read, "D:NO_ACCESS_CONTROL"), /not an access list/);
  });
});
