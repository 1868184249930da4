import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { adWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { NEVER_WRITTEN_OIDS } from "../../../policy/directory/never.ts";
import type { DirectoryGrant } from "../../directory-grant.ts";
import { createRecorder } from "../../mssql/test-output.ts";
import { ldapConnector } from "../index.ts";
import { DOMAIN, STAFF, startDirectory } from "../test-directory.ts";

const GRANT: DirectoryGrant = {
  ...{ kind: "directoryWrite", rule: "write", bases: [STAFF], destinations: [STAFF], classes: "*", denied: [] },
  ...{ attributes: ["department", "sAMAccountName"], neverWritten: NEVER_WRITTEN_OIDS },
  ...{ passwordSetsPerDay: 20, deletesPerRun: 10 },
};
const KARI = `CN=kari,${STAFF}`;
const MODIFY = { action: "modify", changes: [{ attribute: "department", do: "set", values: ["Salg"] }] };
/** Requests that change something [RFC 4511 4.6 to 4.9]. */
const CHANGES = [0x66, 0x68, 0x4a, 0x6c];

async function start(t: TestContext) {
  const { ldap, target } = await startDirectory(t);
  const sent: number[] = [];
  ldap.emulated.onMessage = ({ tag }) => {
    if (!CHANGES.includes(tag)) return undefined;
    sent.push(tag);
    ldap.cut();
    return "swallow";
  };
  ldap.store.add(KARI, "user", { sAMAccountName: "kari", department: "Drift" });
  const write = async (wish: object) => {
    const recorder = createRecorder();
    const operation = adWrite.parse({ op: "ad.write", object: KARI, class: "user", ...wish });
    await ldapConnector(target(), operation, GRANT, DEFAULT_LIMITS, recorder, new AbortController().signal);
    return recorder.results[0];
  };
  return { ldap, write, sent };
}

test("a directory that goes away after a change was sent leaves open whether it was made", async (t) => {
  const { write, sent } = await start(t);
  await assert.rejects(write(MODIFY), { code: "write.outcome_unknown" });
  assert.deepEqual(sent, [0x66]);
});

test("a dry run, and what is so already, send no change", async (t) => {
  const { ldap, write, sent } = await start(t);
  const guid = (await write({ ...MODIFY, dryRun: true })) as { guid: string };
  assert.deepEqual(guid, { ...guid, action: "modify", changed: false, wouldChange: true });
  ldap.store.set(KARI, { department: "Salg" });
  assert.deepEqual(await write(MODIFY), { ...guid, wouldChange: false });
  assert.deepEqual(sent, []);
});

test("an object that rules the domain is refused before a change is sent: by RID, by mark, as a controller, by any group above it", async (t) => {
  const { ldap, write, sent } = await start(t);
  const group = (name: string, above: readonly string[], more: object = {}): string => {
    const dn = `CN=${name},${STAFF}`;
    ldap.store.add(dn, "group", { sAMAccountName: name, memberOf: above, ...more });
    return dn;
  };
  const top = group("top", [], { adminCount: "1" });
  const inner = group("inner", [top]);
  const circle = group("circle", [`CN=circle,${STAFF}`]);
  const cases: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> = {
    marked: { adminCount: "1" },
    "a controller": { userAccountControl: "532480" },
    "a controller that only reads": { userAccountControl: "83890176" },
    "by its primary group": { primaryGroupID: "512" },
    "through two groups": { memberOf: [inner] },
    "through a group that is hidden": { memberOf: [`CN=hidden,${DOMAIN}`] },
  };
  for (const [name, values] of Object.entries(cases)) {
    const dn = `CN=${name},${STAFF}`;
    ldap.store.add(dn, "user", { sAMAccountName: name, ...values });
    await assert.rejects(write({ ...MODIFY, object: dn }), { code: "policy.denied" }, name);
  }
  assert.deepEqual(sent, []);
  ldap.store.add(`CN=round,${STAFF}`, "user", { sAMAccountName: "round", memberOf: [circle] });
  await assert.rejects(write({ ...MODIFY, object: `CN=round,${STAFF}` }), { code: "write.outcome_unknown" });
});

test("an attribute that is never written is found out by its OID, and what lies elsewhere by its place", async (t) => {
  const { ldap, write, sent } = await start(t);
  ldap.store.add(`CN=other,${DOMAIN}`, "user", { sAMAccountName: "other" });
  const guid = ldap.store.find(`CN=other,${DOMAIN}`)!.guid;
  const text = [guid.subarray(0, 4), guid.subarray(4, 6), guid.subarray(6, 8)]
    .map((part) => Buffer.from(part).reverse().toString("hex"))
    .concat(guid.subarray(8, 10).toString("hex"), guid.subarray(10).toString("hex"))
    .join("-");
  const spn = [{ attribute: "1.2.840.113556.1.4.771", do: "set", values: ["ldap/x"] }];
  await assert.rejects(write({ action: "modify", changes: spn }), (error: Error & { code: string }) =>
    ["policy.denied", "request.invalid"].includes(error.code),
  );
  await assert.rejects(write({ ...MODIFY, guid: text }), { code: "policy.denied" });
  assert.deepEqual(sent, []);
});
