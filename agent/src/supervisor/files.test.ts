import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { isChangeable, type Rights } from "./files.ts";

const ME = 990;
const OTHER = 1;

interface Entry {
  readonly mine?: boolean;
  readonly writable?: boolean;
  readonly sticky?: boolean;
}

/** A system on which everything belongs to somebody else, but what is named here. */
const rights = (entries: Readonly<Record<string, Entry>>, account: number | undefined = ME, links = {}): Rights => ({
  account,
  stat: (path) => ({ uid: entries[path]?.mine ? ME : OTHER, mode: entries[path]?.sticky ? 0o1777 : 0o755 }),
  isWritable: (path) => entries[path]?.writable === true,
  real: (path) => (links as Record<string, string>)[path] ?? path,
});

const POLICY = "/srv/sallyport/state/policy.yaml";

test("what belongs to somebody else all the way up cannot be changed; by root everything can", () => {
  assert.equal(isChangeable(POLICY, rights({})), false);
  assert.equal(isChangeable(POLICY, rights({}, 0)), true);
  assert.equal(isChangeable(POLICY, { ...rights({}), account: undefined }), undefined);
});

for (let path = POLICY; path !== dirname(path); path = dirname(path)) {
  test(`owning or writing ${path} changes the policy`, () => {
    assert.equal(isChangeable(POLICY, rights({ [path]: { mine: true } })), true);
    assert.equal(isChangeable(POLICY, rights({ [path]: { writable: true } })), true);
  });
}

test("in a sticky folder others' entries stay where they are", () => {
  assert.equal(isChangeable(POLICY, rights({ "/srv": { writable: true, sticky: true } })), false);
  assert.equal(isChangeable(POLICY, rights({ "/srv": { mine: true, sticky: true } })), true);
});

test("a link counts where it stands and where it leads", () => {
  const links = { [POLICY]: "/home/me/policy.yaml" };
  assert.equal(isChangeable(POLICY, rights({}, ME, links)), false);
  assert.equal(isChangeable(POLICY, rights({ "/home/me": { mine: true } }, ME, links)), true);
  assert.equal(isChangeable(POLICY, rights({ "/srv": { mine: true } }, ME, links)), true);
});
