/** `ad.changes` against a real controller: after random changes, what a consumer has folded is what a full read gives. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import type { DirectoryGrant } from "@sallyport/agent/src/connectors/directory-grant.ts";
import { ldapConnector } from "@sallyport/agent/src/connectors/ldap/index.ts";
import type { DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import { createRecorder } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { NEVER_READ_ARCS, NEVER_READ_OIDS } from "@sallyport/agent/src/policy/directory/never.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import { adChanges, adSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { Check } from "../suite.ts";
import { ADMINISTRATOR, type Controller, DC } from "./controller.ts";
import { ldapModify } from "./ldap-tools.ts";
import { groupDn, READER, STAFF, userDn } from "./people.ts";
import { targetOf } from "./sign-ins.ts";

const ATTRIBUTES = ["objectGUID", "sAMAccountName", "displayName", "department", "distinguishedName"];
const GRANT: DirectoryGrant = {
  ...{ kind: "directoryRead", rule: "staff", bases: [STAFF, DC], classes: "*", attributes: "*", denied: [] },
  neverRead: { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS },
};
const CHANGES = 200;
const OUTSIDE = `OU=Outside,${DC}`;
const WITHIN = [STAFF, `OU=North,${STAFF}`, `OU=South,${STAFF}`];

type Row = readonly unknown[];
interface Ran {
  readonly rows: readonly Row[];
  readonly to: string;
  readonly warnings: readonly Warning[];
}

async function run(target: DirectoryTarget, wish: object, isChanges: boolean): Promise<Ran> {
  const recorder = createRecorder();
  const asked = { base: STAFF, classes: ["user"], attributes: ATTRIBUTES, ...wish };
  const operation = isChanges
    ? adChanges.parse({ op: "ad.changes", mostDeletes: 10_000, ...asked })
    : adSearch.parse({ op: "ad.search", ...asked });
  const forever = new AbortController().signal;
  const outcome = await ldapConnector(target, operation, GRANT, DEFAULT_LIMITS, recorder, forever);
  return { rows: recorder.rows, to: recorder.plan?.to ?? "", warnings: outcome.warnings ?? [] };
}

const changes = (target: DirectoryTarget, wish: object): Promise<Ran> => run(target, wish, true);

/** What a consumer holds after a run, as docs/connectors/active-directory.md tells it to. */
function fold(held: ReadonlyMap<string, Row>, { rows }: Ran): Map<string, Row> {
  const next = new Map(held);
  const named = new Set<string>();
  let isWhole = false;
  for (const [happened, ...row] of rows) {
    const guid = String(row[0]);
    named.add(guid);
    isWhole ||= happened === "present" || happened === "kept";
    if (happened === "delete") next.delete(guid);
    else if (happened !== "kept") next.set(guid, row);
  }
  for (const guid of isWhole ? next.keys() : []) if (!named.has(guid)) next.delete(guid);
  return next;
}

const byGuid = (rows: readonly Row[]): Map<string, Row> => new Map(rows.map((row) => [String(row[0]), row]));
const sorted = (held: ReadonlyMap<string, Row>): Row[] =>
  [...held.values()].sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));

/** Ways to follow changes: by which login, how, and what the run says of itself. */
const WAYS = [
  { name: "DirSync, by a login that sees deletions", user: ADMINISTRATOR, by: "dirSync", reconciles: false },
  { name: "DirSync, by a login that may not see deletions", user: READER, by: "dirSync", reconciles: true },
  { name: "update sequence numbers", user: READER, by: "usn", reconciles: true },
] as const;

export async function checkChanges(check: Check, controller: Controller): Promise<void> {
  const followers = WAYS.map((way) => ({
    way,
    target: targetOf(controller, "required", "simple", way.user),
    to: "",
    held: new Map<string, Row>(),
  }));
  const everything = async (): Promise<Row[]> => sorted(byGuid((await run(followers[0]!.target, {}, false)).rows));
  await ldapModify(
    controller,
    [OUTSIDE, ...WITHIN.slice(1)].map((dn) => `dn: ${dn}\nchangetype: add\nobjectClass: organizationalUnit\n`),
  );
  // A login that was never shown anything deleted counts as one that may not see it.
  await ldapModify(controller, [`dn: ${userDn(4_999)}\nchangetype: delete\n`]);
  for (const follower of followers) {
    const { way, target } = follower;
    await check(`changes by ${way.name}: the first run reads everybody`, async () => {
      const first = await changes(target, { by: way.by });
      assert.deepEqual(new Set(first.rows.map(([happened]) => happened)), new Set(["insert"]));
      [follower.held, follower.to] = [fold(new Map(), first), first.to];
      assert.deepEqual([sorted(follower.held), first.warnings], [await everything(), []]);
    });
    await check(`changes by ${way.name}: nothing changed, and nothing is told`, async () => {
      const none = await changes(target, { by: way.by, from: follower.to });
      assert.deepEqual(
        none.rows.filter(([happened]) => happened !== "kept"),
        [],
      );
      follower.to = none.to;
    });
  }
  for (const round of [1, 2]) {
    await check(`${CHANGES} random changes are made, round ${round}`, () => changeAtRandom(controller, round));
    for (const follower of followers) {
      const { way, target } = follower;
      await check(`changes by ${way.name}: the fold is what a full read gives, round ${round}`, async () => {
        const delta = await changes(target, { by: way.by, from: follower.to });
        [follower.held, follower.to] = [fold(follower.held, delta), delta.to];
        assert.deepEqual(sorted(follower.held), await everything());
        const told = delta.warnings.map(({ code }) => code);
        assert.deepEqual(told, way.reconciles ? ["directory.reconciled"] : []);
        const changed = delta.rows.filter(([happened]) => happened !== "kept");
        assert.ok(changed.length > CHANGES / 4 && changed.length < 3 * CHANGES, `${changed.length} rows`);
      });
    }
  }
  await checkLimits(check, controller, followers[0]!);
}

async function checkLimits(
  check: Check,
  controller: Controller,
  { target, to }: { readonly target: DirectoryTarget; readonly to: string },
): Promise<void> {
  await check("a cookie that the directory does not know is a full run that says why", async () => {
    const spoiled = `${to.slice(0, to.lastIndexOf("/") + 1)}${Buffer.from("no cookie").toString("base64url")}`;
    const full = await changes(target, { from: spoiled });
    assert.deepEqual(new Set(full.rows.map(([happened]) => happened)), new Set(["present"]));
    assert.deepEqual(full.warnings, [
      { code: "directory.changes_by", facts: { kind: "full", by: "dirSync", why: "cookieLost" } },
    ]);
  });
  await check("another controller's numbers are a full run that says why", async () => {
    const usn = await changes(target, { by: "usn" });
    const other = usn.to.replace(/[0-9a-f]{8}-/, "00000000-");
    const full = await changes(target, { by: "usn", from: other });
    assert.deepEqual(full.warnings, [
      { code: "directory.changes_by", facts: { kind: "full", by: "usn", why: "otherController" } },
    ]);
  });
  await check(
    "a run that would delete more than it may ends with an error, and a new member of a group is told",
    async () => {
      const groups = { base: DC, classes: ["group"], attributes: ["objectGUID", "member"] };
      const before = await changes(target, groups);
      await ldapModify(controller, [`dn: ${groupDn(10)}\nchangetype: modify\nadd: member\nmember: ${userDn(4000)}\n`]);
      const delta = await changes(target, { ...groups, from: before.to });
      assert.deepEqual(
        delta.rows.map(([happened, , members]) => [happened, (members as unknown[]).length]),
        [["update", 22]],
      );
      await ldapModify(
        controller,
        [60, 61, 62].map((index) => `dn: ${groupDn(index)}\nchangetype: delete\n`),
      );
      await assert.rejects(changes(target, { ...groups, from: delta.to, mostDeletes: 2 }), {
        code: "directory.too_many_deletes",
      });
      const after = await changes(target, { ...groups, from: delta.to, mostDeletes: 3 });
      assert.equal(after.rows.filter(([happened]) => happened === "delete").length, 3);
    },
  );
}

/** Makes new people, changes values, renames, moves within, away and back, and deletes. */
async function changeAtRandom(controller: Controller, round: number): Promise<void> {
  // Each of those that were there is changed at most once; more of them than are needed.
  const people = Array.from({ length: CHANGES }, (_, nth) => 1000 * round + nth * 4 + randomInt(4));
  const away: number[] = [];
  const records = people.map((index, nth) => {
    const dn = userDn(index);
    const moved = (parent: string): string =>
      `dn: ${dn}\nchangetype: modrdn\nnewrdn: CN=user${index}\ndeleteoldrdn: 1\nnewsuperior: ${parent}\n`;
    switch (nth % 6) {
      case 0:
        return `dn: CN=new ${round} ${nth},${WITHIN[nth % 3]}\nchangetype: add\nobjectClass: user\nsAMAccountName: new${round}x${nth}\n`;
      case 1:
        return `dn: ${dn}\nchangetype: modify\nreplace: department\ndepartment: Ny ${randomInt(1e6)}\n`;
      case 2:
        return `dn: ${dn}\nchangetype: modrdn\nnewrdn: CN=renamed ${round} ${index}\ndeleteoldrdn: 1\n`;
      case 3:
        return moved(WITHIN[1 + (nth % 2)]!);
      case 4:
        away.push(index);
        return moved(OUTSIDE);
      default:
        return `dn: ${dn}\nchangetype: delete\n`;
    }
  });
  const back = away
    .filter((_, nth) => nth % 3 === 0)
    .map(
      (index) =>
        `dn: CN=user${index},${OUTSIDE}\nchangetype: modrdn\nnewrdn: CN=back${index}\ndeleteoldrdn: 1\nnewsuperior: ${STAFF}\n`,
    );
  await ldapModify(controller, [...records, ...back]);
}
