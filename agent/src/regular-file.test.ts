import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { cutTornLine } from "./journal/files.ts";
import { openJournal } from "./journal/journal.ts";
import { ensureMaskKey } from "./mask-key.ts";
import { asOwnerOf, openRegular } from "./regular-file.ts";
import { readPinned, readTextIfAny, statePaths } from "./state.ts";

/** Another account where this one may give files away; else its own, and the same must hold. */
const OWN = process.getuid?.() ?? 0;
const OTHER = OWN === 0 ? 65534 : OWN;
const GROUPS = process.getgroups?.();
const GROUP = OWN === 0 ? 65534 : (process.getgid?.() ?? 0);
let folder: string;
let victim: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-regular-"));
  chmodSync(folder, 0o755);
  victim = join(folder, "victim");
  writeFileSync(victim, "not ours, and without an end of line", { mode: 0o600 });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const pipe = (name: string): string => {
  const path = join(folder, name);
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  return path;
};

test("a link is not followed, a pipe not waited for, and a folder none", () => {
  const link = join(folder, "link");
  symlinkSync(victim, link);
  assert.throws(() => openRegular(link), { code: "ELOOP" });
  const [one, other] = [pipe("one"), pipe("other")];
  assert.throws(() => openRegular(one), /no regular file/);
  assert.throws(() => readTextIfAny(other), /no regular file/);
  assert.throws(() => openRegular(folder), /no regular file/);
  closeSync(openRegular(victim));
});

test("a journal that is a link to another file leaves that file as it is", () => {
  const journal = join(folder, "journal");
  mkdirSync(journal);
  const before = readFileSync(victim, "utf8");
  symlinkSync(victim, join(journal, "journal.jsonl"));
  assert.throws(() => cutTornLine(join(journal, "journal.jsonl")), { code: "ELOOP" });
  const open = () => openJournal(journal, { maxBytes: 2 ** 20, maxDays: 400 });
  assert.throws(open, { code: "agent.journal_unwritable" });
  assert.equal(readFileSync(victim, "utf8"), before);
});

test("a mask key that is a link or a pipe is refused, and its target keeps its owner", () => {
  const maskKey = join(folder, "mask.key");
  const whole = join(folder, "whole.key");
  ensureMaskKey({ maskKey: whole });
  symlinkSync(whole, maskKey);
  assert.throws(() => asOwnerOf(folder, () => ensureMaskKey({ maskKey })), /cannot be read \(ELOOP\)/);
  assert.equal(statSync(whole).uid, OWN);
  assert.throws(() => ensureMaskKey({ maskKey: pipe("pipe.key") }), /no regular file/);
  linkSync(whole, join(folder, "again.key"));
  assert.throws(() => ensureMaskKey({ maskKey: whole }), /has another name/);
});

test("whom the agent was enrolled with is read from no link, and what is no such file is not repeated", () => {
  const paths = statePaths(folder);
  symlinkSync(victim, paths.pinned);
  assert.throws(() => readPinned(paths), { code: "ELOOP" });
  rmSync(paths.pinned);
  writeFileSync(paths.pinned, "root:hash:1");
  assert.throws(
    () => readPinned(paths),
    (error: Error) => !error.message.includes("hash"),
  );
});

test("what root does in an account's folder it does with that account's rights", () => {
  const owned = join(folder, "owned");
  mkdirSync(owned);
  chownSync(owned, OTHER, GROUP);
  const made = join(owned, "made");
  const ids = asOwnerOf(owned, () => {
    writeFileSync(made, "");
    return [process.geteuid?.(), process.getegid?.()];
  });
  assert.deepEqual(ids, [OTHER, GROUP]);
  assert.deepEqual([statSync(made).uid, statSync(made).gid], [OTHER, GROUP]);
  assert.throws(() => asOwnerOf(owned, () => assert.fail("as it was")), /as it was/);
  assert.deepEqual([process.geteuid?.(), process.getgroups?.()], [OWN, GROUPS]);
});

test("of a link, its maker's rights count and not its target's owner's", () => {
  const link = join(folder, "elsewhere");
  symlinkSync(folder, link);
  lchownSync(link, OTHER, GROUP);
  assert.equal(
    asOwnerOf(link, () => process.geteuid?.()),
    OTHER,
  );
});
