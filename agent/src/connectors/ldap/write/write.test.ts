import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { adWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { decide } from "../../../policy/decide.ts";
import { NEVER_WRITTEN_OIDS } from "../../../policy/directory/never.ts";
import { parsePolicy } from "../../../policy/file.ts";
import type { DirectoryGrant } from "../../directory-grant.ts";
import { createRecorder } from "../../mssql/test-output.ts";
import { ldapConnector } from "../index.ts";
import { guidText, sidBytes, sidText } from "../sid.ts";
import { DOMAIN, STAFF, startDirectory } from "../test-directory.ts";

const GRANT: DirectoryGrant = {
  ...{
    kind: "directoryWrite",
    rule: "write",
    bases: [STAFF],
    destinations: [STAFF],
    classes: "*",
    denied: [],
    denials: [],
  },
  ...{ attributes: ["department", "sAMAccountName"], neverWritten: NEVER_WRITTEN_OIDS },
  ...{ passwordSetsPerDay: 20, deletesPerRun: 10 },
};
const KARI = `CN=kari,${STAFF}`;
const MODIFY = { action: "modify", changes: [{ attribute: "department", do: "set", values: ["Salg"] }] };
/** Requests that change something [RFC 4511 4.6 to 4.9]. */
const CHANGES = [0x66, 0x68, 0x4a, 0x6c];

async function start(t: TestContext, options: Parameters<typeof startDirectory>[1] = {}) {
  const { ldap, target } = await startDirectory(t, options);
  const sent: number[] = [];
  ldap.emulated.onMessage = ({ tag }) => {
    if (!CHANGES.includes(tag)) return undefined;
    sent.push(tag);
    ldap.cut();
    return "swallow";
  };
  ldap.store.add(KARI, "user", { sAMAccountName: "kari", department: "Drift" });
  const write = async (wish: object, grant = GRANT) => {
    const recorder = createRecorder();
    const operation = adWrite.parse({ op: "ad.write", object: KARI, class: "user", ...wish });
    await ldapConnector(target(), operation, grant, DEFAULT_LIMITS, recorder, new AbortController().signal);
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
  const dry = { action: "modify", changed: false, wouldChange: true, guid: guid.guid };
  assert.deepEqual(guid, { ...dry, mayNotWrite: [], mayNotCreate: [] });
  ldap.store.set(KARI, { department: "Salg" });
  assert.deepEqual(await write(MODIFY), { ...dry, wouldChange: false });
  assert.deepEqual(sent, []);
});

test("members of a group that comes in pieces are found wherever they stand in it, also by one who has that many groups", async (t) => {
  const { ldap, write, sent } = await start(t, { limits: { values: 5 } });
  const dnOf = (index: number): string => `CN=member${index},${STAFF}`;
  const groups = Array.from({ length: 8 }, (_, index) => `CN=above${index},${STAFF}`);
  for (const dn of groups) ldap.store.add(dn, "group", { sAMAccountName: dn.slice(3, 9) });
  const members = Array.from({ length: 12 }, (_, index) => dnOf(index));
  for (const dn of [...members, dnOf(12)]) ldap.store.add(dn, "user");
  const object = `CN=many,${STAFF}`;
  ldap.store.add(object, "group", { memberOf: groups, member: members });
  const asked = { action: "members", class: "group", object, dryRun: true };
  const would = async (wish: object): Promise<unknown> =>
    ((await write({ ...asked, ...wish })) as { wouldChange: boolean }).wouldChange;
  for (const index of [0, 6, 11]) {
    assert.equal(await would({ remove: [dnOf(index)] }), true, `member ${index} goes`);
    assert.equal(await would({ add: [dnOf(index)] }), false, `member ${index} is there`);
  }
  assert.equal(await would({ remove: [dnOf(12)] }), false);
  assert.equal(await would({ add: [dnOf(12)] }), true);
  assert.deepEqual(sent, []);
  // A group among many above it is looked at, too.
  ldap.store.set(groups[7]!, { adminCount: "1" });
  await assert.rejects(write({ ...asked, remove: [dnOf(0)] }), { code: "policy.denied" });
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
  const rid = (dn: string): string =>
    sidText(ldap.store.find(dn)!.attributes.get("objectsid")!.values[0]!)!.replace(/^.*-/, "");
  const domainSid = sidBytes(ldap.store.domainSid)!;
  const cases: Readonly<Record<string, Readonly<Record<string, string | readonly string[] | readonly Buffer[]>>>> = {
    marked: { adminCount: "1" },
    "a controller": { userAccountControl: "532480" },
    "a controller that only reads": { userAccountControl: "83890176" },
    "by its primary group": { primaryGroupID: "512" },
    "by a group above its primary group": { primaryGroupID: rid(inner) },
    "by a primary group that is hidden": { primaryGroupID: "9999" },
    "by a SID that it had": { sIDHistory: [sidBytes(`${ldap.store.domainSid}-512`)!] },
    "through two groups": { memberOf: [inner] },
    "through a group that is hidden": { memberOf: [`CN=hidden,${DOMAIN}`] },
  };
  for (const [name, values] of Object.entries(cases)) {
    const dn = `CN=${name},${STAFF}`;
    ldap.store.add(dn, "user", { sAMAccountName: name, ...values });
    await assert.rejects(write({ ...MODIFY, object: dn }), { code: "policy.denied" }, name);
  }
  // By what it is: its class, or the domain's own SID.
  const template = { objectClass: ["top", "pKICertificateTemplate"] };
  for (const [objectClass, values] of [
    ["pKICertificateTemplate", template],
    ["container", { objectSid: domainSid }],
  ] as const) {
    const dn = `CN=of ${objectClass},${STAFF}`;
    ldap.store.add(dn, "container", values);
    await assert.rejects(write({ ...MODIFY, object: dn, class: objectClass }), { code: "policy.denied" }, objectClass);
  }
  assert.deepEqual(sent, []);
  // Everybody's primary group may be hidden.
  ldap.store.add(`CN=round,${STAFF}`, "user", { sAMAccountName: "round", memberOf: [circle], primaryGroupID: "513" });
  await assert.rejects(write({ ...MODIFY, object: `CN=round,${STAFF}` }), { code: "write.outcome_unknown" });
});

test("an attribute that is never written is found out by its OID, and what lies elsewhere by its place", async (t) => {
  const { ldap, write, sent } = await start(t);
  ldap.store.add(`CN=other,${DOMAIN}`, "user", { sAMAccountName: "other" });
  const text = guidText(ldap.store.find(`CN=other,${DOMAIN}`)!.guid);
  const spn = [{ attribute: "1.2.840.113556.1.4.771", do: "set", values: ["ldap/x"] }];
  await assert.rejects(write({ action: "modify", changes: spn }), (error: Error & { code: string }) =>
    ["policy.denied", "request.invalid"].includes(error.code),
  );
  await assert.rejects(write({ ...MODIFY, guid: text }), { code: "policy.denied" });
  assert.deepEqual(sent, []);
});

const LEADERS = `OU=Leaders,${STAFF}`;
const POLICY = `
v: 1
connections:
  corp:
    kind: activeDirectory
    address: dc1.corp.example:636
    tls: { mode: required }
    logins: [svc]
    rules:
      - id: write
        allow: [modify, members, rename, move, delete, setPassword]
        bases: ["${STAFF}"]
        destinations: ["${STAFF}"]
        classes: "*"
        attributes: [department, displayName]
        until: 2030-01-01
      - { id: leaders, deny: all, bases: ["${LEADERS}"] }
      - { id: names, deny: all, bases: ["OU=Named,${STAFF}"], attributes: [displayName] }
`;

/** What the policy makes of a wish by the names in it. */
function granted(wish: object): DirectoryGrant {
  const now = new Date("2026-11-20T12:00:00Z");
  const operation = adWrite.parse({ op: "ad.write", object: KARI, class: "user", ...wish });
  const asked = { connection: "corp", user: "svc", signIn: "simple", caller: "key:x", limits: DEFAULT_LIMITS };
  const decision = decide(parsePolicy(POLICY, now), { ...asked, operation }, now);
  assert.ok("allow" in decision, JSON.stringify(decision));
  return decision.allow.grant;
}

test("what a rule denies is not reached by a GUID under another name, nor with what is moved", async (t) => {
  const { ldap, write, sent } = await start(t);
  ldap.store.add(`OU=Named,${STAFF}`, "organizationalUnit");
  ldap.store.add(LEADERS, "organizationalUnit");
  const guidFor = (dn: string, objectClass = "user"): string => {
    const name = /^..=([^,]*)/.exec(dn)![1]!;
    if (ldap.store.find(dn) === undefined) ldap.store.add(dn, objectClass, { sAMAccountName: name });
    return guidText(ldap.store.find(dn)!.guid)!;
  };
  const boss = guidFor(`CN=boss,${LEADERS}`);
  const named = guidFor(`CN=named,OU=Named,${STAFF}`);
  const name = { action: "modify", changes: [{ attribute: "displayName", do: "set", values: ["x"] }] };
  const refused: Readonly<Record<string, object>> = {
    modify: { ...MODIFY, guid: boss },
    setPassword: { action: "setPassword", password: "Fjell-2026-Multer!", guid: boss },
    delete: { action: "delete", guid: boss },
    move: { action: "move", destination: STAFF, guid: boss },
    "a unit that is moved with them": {
      ...{ action: "move", class: "organizationalUnit", destination: `OU=Named,${STAFF}` },
      guid: guidFor(LEADERS),
    },
    "an attribute that is denied there": { ...name, guid: named },
  };
  for (const [what, wish] of Object.entries(refused)) {
    await assert.rejects(write(wish, granted(wish)), { code: "policy.denied" }, what);
  }
  assert.deepEqual(sent, []);
  // Elsewhere the same attribute is written, and there another.
  await assert.rejects(write(name, granted(name)), { code: "write.outcome_unknown" });
});
