/** Owners and rights of an installation's files, as the page for administrators has them. */
import assert from "node:assert/strict";
import { lstatSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../build/root.ts";
import { listing, type Root } from "./root.ts";

/** Each file of docs/install-linux.md's table has the owner and the rights that stand there. */
export function requireRightsOfPage(root: Root): void {
  const told = (path: string): string => {
    const { uid, gid, mode } = statSync(join(root.folder, path));
    return `${nameOf(root, "passwd", uid)}:${nameOf(root, "group", gid)} ${(mode & 0o7777).toString(8)}`;
  };
  const said = readFileSync(join(ROOT, "docs/install-linux.md"), "utf8");
  const rows = [...said.matchAll(/^\| `(\/[^`]+)` \| (\w+:\w+) \| (\d+) \|/gm)].map(([, path, owner, mode]) => ({
    path,
    is: `${owner} ${mode}`,
  }));
  assert.ok(rows.length >= 10, "the page has a table of files");
  assert.deepEqual(
    rows.map(({ path }) => ({ path, is: told(path!) })),
    rows,
  );
}

/** What lies below a folder is root's alone to change, and everybody's to read. */
export function requireProgramOfRoot({ folder }: Root, path: string): void {
  const all = listing(join(folder, path)).map((each) => each.replace(/ -> .*/, ""));
  assert.ok(all.length > 20, `${path} holds a program`);
  for (const each of all) {
    const stat = lstatSync(join(folder, path, each));
    assert.deepEqual([stat.uid, stat.gid], [0, 0], each);
    if (stat.isSymbolicLink()) continue;
    assert.equal(stat.mode & 0o022, 0, `${each} can be written by others`);
    assert.equal(stat.mode & 0o004, 0o004, `${each} cannot be read by others`);
  }
}

const nameOf = ({ folder }: Root, list: string, id: number): string =>
  readFileSync(join(folder, "etc", list), "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([, , each]) => each === `${id}`)?.[0] ?? `${id}`;
