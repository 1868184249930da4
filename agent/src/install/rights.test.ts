import assert from "node:assert/strict";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { rightsOf } from "../doctor/files.ts";
import { makeFolders, type StatePaths, statePaths } from "../state.ts";
import { isChangeable } from "../supervisor/files.ts";
import { LAYOUT } from "./layout.ts";
import { ownerOf, rightsFaults, settlePolicy, settleRights } from "./rights.ts";

const OWNER = { uid: 4711, gid: 4712 };
let folder: string;
let paths: StatePaths;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-rights-"));
  chmodSync(folder, 0o755);
  const root = join(folder, "var");
  paths = { ...statePaths(root), configuration: join(folder, "etc") };
  paths = {
    ...paths,
    config: join(paths.configuration, "agent.yaml"),
    policy: join(paths.configuration, "policy.yaml"),
  };
  makeFolders(paths);
  for (const file of [paths.config, paths.policy, join(paths.configuration, "corp.pem"), paths.identity, paths.pinned])
    writeFileSync(file, "x", { mode: 0o600 });
});
afterEach(() => rmSync(folder, { recursive: true }));

const isRoot = process.geteuid?.() === 0;

describe("an installation's files", { skip: !isRoot && "only root gives files away" }, () => {
  it("are the owner's or the service's, as the page says", () => {
    assert.notDeepEqual(rightsFaults(paths, OWNER), []);
    settleRights(paths, OWNER);
    assert.deepEqual(rightsFaults(paths, OWNER), []);
    const told = (path: string) => {
      const { uid, gid, mode } = statSync(path);
      return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
    };
    assert.equal(told(paths.policy), "0:4712 640");
    assert.equal(told(paths.config), "0:4712 640");
    assert.equal(told(join(paths.configuration, "corp.pem")), "0:4712 640");
    assert.equal(told(paths.root), "0:4712 1770");
    assert.equal(told(paths.control), "0:4712 750");
    assert.equal(told(paths.identity), "4711:4712 600");
    assert.equal(told(paths.pinned), "4711:4712 600");
  });

  it("can then not be changed by the service where it must not, by the agent's own rule", () => {
    settleRights(paths, OWNER);
    const rights = rightsOf(OWNER.uid, OWNER.gid);
    for (const path of [paths.policy, paths.config, paths.control])
      assert.equal(isChangeable(path, rights), false, path);
    assert.equal(isChangeable(paths.identity, rights), true);
  });

  it("are reached through folders that are held: one that is swapped for a link meanwhile leads nowhere else", () => {
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    const names = ["shadow", "status.json"];
    for (const name of names) writeFileSync(join(elsewhere, name), "root's", { mode: 0o600 });
    for (const swapped of [paths.run, paths.keys, paths.journal, paths.control]) {
      for (const name of names) writeFileSync(join(swapped, name), "x", { mode: 0o644 });
      settleRights(paths, OWNER, (held) => {
        if (held !== swapped) return;
        renameSync(swapped, `${swapped}.mine`);
        symlinkSync(elsewhere, swapped);
      });
      rmSync(swapped);
      renameSync(`${swapped}.mine`, swapped);
      for (const name of names) {
        const { uid, mode } = statSync(join(elsewhere, name));
        assert.deepEqual([uid, mode & 0o777], [0, 0o600], `${swapped} ${name}`);
        assert.equal(statSync(join(swapped, name)).gid, OWNER.gid);
      }
    }
    assert.deepEqual(rightsFaults(paths, OWNER), []);
  });

  it("are the policy alone where only that was written: nothing else is looked at", () => {
    rmSync(paths.run, { recursive: true });
    symlinkSync(folder, paths.run);
    settlePolicy(paths, OWNER);
    const { uid, gid, mode } = statSync(paths.policy);
    assert.deepEqual([uid, gid, mode & 0o7777], [0, OWNER.gid, 0o640]);
    assert.equal(statSync(paths.config).gid, 0);
  });

  it("are known by whose keys/ is, and none are while that is root's", () => {
    assert.equal(ownerOf(paths), undefined);
    settleRights(paths, OWNER);
    assert.deepEqual(ownerOf(paths), OWNER);
  });

  it("are never given away by a link that was put in their place", () => {
    const secret = join(folder, "secret");
    writeFileSync(secret, "root's", { mode: 0o600 });
    rmSync(paths.pinned);
    symlinkSync(secret, paths.pinned);
    assert.throws(() => settleRights(paths, OWNER));
    rmSync(paths.pinned);
    linkSync(secret, paths.pinned);
    assert.throws(() => settleRights(paths, OWNER), /another name/);
    assert.equal(statSync(secret).uid, 0);
    rmSync(paths.keys, { recursive: true });
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), paths.keys);
    assert.throws(() => settleRights(paths, OWNER));
    assert.equal(statSync(join(folder, "elsewhere")).uid, 0);
  });
});

it("an installation's configuration lies in a folder of the owner's, any other folder holds all", () => {
  assert.equal(statePaths(LAYOUT.state).policy, "/etc/sallyport/policy.yaml");
  assert.equal(statePaths("/srv/agent").policy, "/srv/agent/policy.yaml");
});
