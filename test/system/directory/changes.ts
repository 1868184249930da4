/** `ad.changes` against a real controller: after random changes, what a consumer has folded is what a full read gives. */
import assert from "node:assert/strict";
import type { DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import type { Check } from "../suite.ts";
import { type Controller, DC } from "./controller.ts";
import { changes, everybody, fold, type Row, sorted, WAYS } from "./following.ts";
import { ldapModify } from "./ldap-tools.ts";
import { groupDn, userDn } from "./people.ts";
import { CHANGES, createChanger, UNITS } from "./random-changes.ts";
import { targetOf } from "./sign-ins.ts";

export async function checkChanges(check: Check, controller: Controller, seed: number): Promise<void> {
  const followers = WAYS.map((way) => ({
    way,
    target: targetOf(controller, "required", "simple", way.user),
    to: "",
    held: new Map<string, Row>(),
  }));
  const everything = (): Promise<Row[]> => everybody(followers[0]!.target);
  await ldapModify(
    controller,
    UNITS.map((dn) => `dn: ${dn}\nchangetype: add\nobjectClass: organizationalUnit\n`),
  );
  const changer = createChanger(controller, seed);
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
    await check(`${CHANGES} random changes are made, restores among them, round ${round}, seed ${seed}`, () =>
      changer.change(round),
    );
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
    const parts = to.split("/");
    const spoiled = parts.with(3, Buffer.from("no cookie").toString("base64url")).join("/");
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
