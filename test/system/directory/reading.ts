/** `ad.search` against a real controller: names of every kind, and groups larger than an answer of Windows holds. */
import assert from "node:assert/strict";
import type { DirectoryGrant } from "@sallyport/agent/src/connectors/directory-grant.ts";
import { ldapConnector } from "@sallyport/agent/src/connectors/ldap/index.ts";
import { createRecorder } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { NEVER_READ_ARCS, NEVER_READ_OIDS } from "@sallyport/agent/src/policy/directory/never.ts";
import { parseDn } from "@sallyport/shared/directory/distinguished-name.ts";
import { adSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { Check } from "../suite.ts";
import { type Controller, DC } from "./controller.ts";
import { ldapSearch } from "./ldap-tools.ts";
import { escapeValue, GROUP_COUNT, GROUPS, LARGE_GROUPS, SPECIAL, SPECIAL_NAMES, STAFF, USERS } from "./people.ts";
import { targetOf } from "./sign-ins.ts";

type ReadGrant = Extract<DirectoryGrant, { kind: "directoryRead" }>;

const GRANT: ReadGrant = {
  ...{ kind: "directoryRead", rule: "all", bases: [DC], classes: "*", attributes: "*", denied: [], denials: [] },
  neverRead: { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS },
};

async function search(
  controller: Controller,
  wish: object,
  denials: ReadGrant["denials"] = [],
): Promise<readonly (readonly unknown[])[]> {
  const recorder = createRecorder();
  const operation = adSearch.parse({ op: "ad.search", classes: ["user"], ...wish });
  const target = targetOf(controller, "required", "simple");
  await ldapConnector(target, operation, { ...GRANT, denials }, DEFAULT_LIMITS, recorder, new AbortController().signal);
  return recorder.rows;
}

/** Of one unit's first part: names that some directory takes for it. */
const respelt = (first: string): string[] => [
  first.toUpperCase(),
  first.toLowerCase(),
  first.replace("=", "=  "),
  `${first} `,
  first.replace("OU=", "2.5.4.11="),
  first.replace("e", "\\65"),
  first.replace("e", "é"),
  first.replace("e", "ｅ"),
];

export async function checkReading(check: Check, controller: Controller): Promise<void> {
  await check(
    `${SPECIAL_NAMES.length} names with all that may stand in one are read, and found again by what was read`,
    async () => {
      const rows = await search(controller, { base: SPECIAL, attributes: ["cn", "distinguishedName", "objectGUID"] });
      assert.deepEqual(rows.map(([name]) => name).sort(), [...SPECIAL_NAMES].sort());
      for (const [name, dn, guid] of rows as readonly string[][]) {
        assert.deepEqual(parseDn(dn!), parseDn(`CN=${escapeValue(name!)},${SPECIAL}`), name);
        // As a base, and as a value of a filter.
        const again = await search(controller, { base: dn, scope: "base", attributes: ["objectGUID"] });
        const filter = { attribute: "cn", is: "equal", value: name };
        const found = await search(controller, { base: SPECIAL, attributes: ["objectGUID"], filter });
        assert.deepEqual([again, found], [[[guid]], [[guid]]], name);
      }
    },
  );
  await check("what an owner denies is not read by any spelling of its place that the controller takes", async () => {
    const [, first = "", above = ""] = /^([^,]+),(.*)$/.exec(SPECIAL) ?? [];
    const denials = [{ id: "special", bases: [SPECIAL] }];
    let known = 0;
    for (const spelling of [first, ...respelt(first)]) {
      const wish = { base: `${spelling},${above}`, attributes: ["cn"] };
      // What is no name for the controller, or no object's, is that with the denial, too.
      const code = await search(controller, wish).then(
        () => "policy.denied",
        (error: Error & { readonly code?: string }) => error.code,
      );
      await assert.rejects(search(controller, wish, denials), { code }, spelling);
      known += code === "policy.denied" ? 1 : 0;
    }
    assert.ok(known >= 6, `${known} spellings are known`);
    await assert.rejects(search(controller, { base: above, attributes: ["cn"] }, denials), { code: "policy.denied" });
  });
  await check(
    `${USERS} users and ${GROUP_COUNT} groups, one of 1,800 members and one of 5,000, each whole`,
    async () => {
      const users = await search(controller, { base: STAFF, attributes: ["sAMAccountName", "mail", "thumbnailPhoto"] });
      assert.equal(new Set(users.map(([name]) => name)).size, USERS);
      const wish = { base: GROUPS, classes: ["group"], attributes: ["cn", "member"] };
      const groups = new Map((await search(controller, wish)).map(([name, members]) => [name, members as string[]]));
      assert.equal(groups.size, GROUP_COUNT);
      for (const [name, size] of Object.entries(LARGE_GROUPS)) {
        const out = await ldapSearch(controller, [
          "-b",
          `CN=${name},${GROUPS}`,
          "-s",
          "base",
          "(objectClass=*)",
          "member",
        ]);
        const judged = out.split("\n").flatMap((line) => /^member: (.*)$/.exec(line)?.[1] ?? []);
        assert.equal(judged.length, size);
        assert.deepEqual([...(groups.get(name) ?? [])].sort(), judged.sort());
      }
    },
  );
}
