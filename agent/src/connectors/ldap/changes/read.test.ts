import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { JsonValue } from "@sallyport/shared/rows/to-json.ts";
import { adChanges } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { NEVER_READ_ARCS, NEVER_READ_OIDS } from "../../../policy/directory/never.ts";
import type { DirectoryGrant } from "../../directory-grant.ts";
import { createRecorder } from "../../mssql/test-output.ts";
import { ldapConnector } from "../index.ts";
import { DOMAIN, STAFF, startDirectory } from "../test-directory.ts";

const OUTSIDE = `OU=Outside,${DOMAIN}`;
const GRANT: DirectoryGrant = {
  ...{ kind: "directoryRead", rule: "staff", bases: [STAFF], classes: "*", attributes: "*", denied: [], denials: [] },
  neverRead: { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS },
};

const userDn = (index: number): string => `CN=user${index},${STAFF}`;

/** Ten people beside the login itself, and a unit that no rule covers; three objects in an answer of DirSync. */
async function start(t: TestContext, limits: Parameters<typeof startDirectory>[1] = { limits: { dirSync: 3 } }) {
  const { ldap, target } = await startDirectory(t, limits);
  ldap.store.add(OUTSIDE, "organizationalUnit");
  for (let index = 0; index < 10; index += 1) {
    ldap.store.add(userDn(index), "user", { sAMAccountName: `user${index}`, department: "Salg" });
  }
  const run = async (wish: object = {}, grant: object = {}) => {
    const recorder = createRecorder();
    const operation = adChanges.parse({
      ...{ op: "ad.changes", base: STAFF, classes: ["user"], attributes: ["sAMAccountName", "objectGUID"], ...wish },
    });
    const never = new AbortController().signal;
    const outcome = await ldapConnector(target(), operation, { ...GRANT, ...grant }, DEFAULT_LIMITS, recorder, never);
    const told = (happened: string): JsonValue[] =>
      recorder.rows.filter(([first]) => first === happened).map(([, name, guid]) => name ?? guid ?? null);
    const { rows, plan } = recorder;
    return { rows, plan, told, to: plan?.to ?? "", warnings: outcome.warnings ?? [] };
  };
  const guidOf = (dn: string): string => {
    const hex = ldap.store.find(dn)!.guid.toString("hex");
    return hex;
  };
  return { ldap, run, guidOf };
}

const plain = (guid: JsonValue): string => {
  const [a = "", b = "", c = "", ...rest] = String(guid).split("-");
  const turned = (text: string): string => Buffer.from(text, "hex").reverse().toString("hex");
  return [turned(a), turned(b), turned(c), ...rest].join("");
};

test("a first run reads everybody, and its plan says where the next one begins, and by what rows are known", async (t) => {
  const { run } = await start(t);
  const { rows, plan, told, warnings } = await run();
  assert.equal(told("insert").length, 11);
  assert.equal(rows.length, 11);
  assert.match(plan?.to ?? "", /^dirSyncAll\//);
  assert.deepEqual([plan?.key, warnings], [["objectGUID"], []]);
});

test("changes come whole, deletions and what was moved away by their GUIDs, over several answers", async (t) => {
  const { ldap, run, guidOf } = await start(t);
  ldap.store.remove(userDn(9));
  const { to } = await run();
  const [deleted, away] = [guidOf(userDn(3)), guidOf(userDn(4))];
  for (const index of [0, 1, 2, 5]) ldap.store.set(userDn(index), { sAMAccountName: `neu${index}` });
  ldap.store.remove(userDn(3));
  ldap.store.move(userDn(4), `CN=user4,${OUTSIDE}`);
  ldap.store.add(`CN=neighbour,${OUTSIDE}`, "user", { sAMAccountName: "neighbour" });
  ldap.store.add(`CN=came,${STAFF}`, "user", { sAMAccountName: "came" });
  const delta = await run({ from: to });
  assert.deepEqual(delta.told("update").sort(), ["came", "neu0", "neu1", "neu2", "neu5"]);
  const gone = delta.told("delete").map(plain);
  assert.ok(gone.includes(deleted) && gone.includes(away));
  assert.ok(!delta.rows.some((row) => row.includes("neighbour") || row.includes("user4")));
  assert.deepEqual(delta.warnings, []);
  const after = await run({ from: delta.to });
  assert.deepEqual(after.rows, []);
});

test("what is made elsewhere is neither counted nor named; right after a full run it may have been here, and is named", async (t) => {
  const { ldap, run, guidOf } = await start(t);
  ldap.store.remove(userDn(9));
  const first = await run();
  const make = (name: string): string => {
    ldap.store.add(`CN=${name},${OUTSIDE}`, "user", { sAMAccountName: name });
    return guidOf(`CN=${name},${OUTSIDE}`);
  };
  const soon = [make("one"), make("two"), make("three")];
  const after = await run({ from: first.to, mostDeletes: 0 });
  assert.deepEqual(after.told("delete").map(plain).sort(), soon.sort());
  make("four");
  const later = await run({ from: after.to, mostDeletes: 0 });
  assert.deepEqual(later.rows, []);
  // What was there before may have stood here.
  ldap.store.move(userDn(0), `CN=user0,${OUTSIDE}`);
  ldap.store.move(`CN=four,${OUTSIDE}`, `CN=vier,${OUTSIDE}`);
  await assert.rejects(run({ from: later.to, mostDeletes: 0 }), { code: "directory.too_many_deletes" });
  const away = [guidOf(`CN=user0,${OUTSIDE}`), guidOf(`CN=vier,${OUTSIDE}`)];
  assert.deepEqual((await run({ from: later.to })).told("delete").map(plain).sort(), away.sort());
  // A run that names all that there is says so by what it leaves out.
  const whole = await run({ from: later.to, reconcile: true, mostDeletes: 1 });
  assert.deepEqual([whole.told("delete"), whole.told("kept").length], [[], 9]);
});

test("what was deleted with the units it stood in is told, whatever became of their names", async (t) => {
  const { ldap, run, guidOf } = await start(t);
  const [outer, inner] = [`OU=Outer,${STAFF}`, `OU=Inner,OU=Outer,${STAFF}`];
  const elsewhere = `OU=Other,${OUTSIDE}`;
  for (const unit of [outer, inner, elsewhere]) ldap.store.add(unit, "organizationalUnit");
  const people = [`CN=a,${inner}`, `CN=b,${outer}`];
  for (const dn of [...people, `CN=c,${elsewhere}`]) ldap.store.add(dn, "user");
  ldap.store.remove(userDn(9));
  const { to } = await run();
  const expected = people.map(guidOf).sort();
  for (const dn of [...people, inner, outer, `CN=c,${elsewhere}`, elsewhere]) ldap.store.remove(dn);
  const delta = await run({ from: to });
  assert.deepEqual(delta.told("delete").map(plain).sort(), expected);
  assert.deepEqual(delta.warnings, []);
  // Of a parent that is hidden nobody can say where it stood: then all that is there is named.
  ldap.emulated.answer = ({ base, controls }) =>
    base.startsWith("<GUID=") && controls.has("1.2.840.113556.1.4.417")
      ? { parts: [], code: 32, diagnostic: "0000208D: hidden\0" }
      : undefined;
  const listed = await run({ from: to });
  assert.deepEqual([listed.told("delete"), listed.told("kept").length], [[], 10]);
  assert.deepEqual(
    listed.warnings.map(({ code }) => code),
    ["directory.reconciled"],
  );
  ldap.emulated.answer = undefined;
});

test("a deletion that does not say where it was is asked for it, and else all that is there is named", async (t) => {
  const { ldap, run, guidOf } = await start(t);
  ldap.store.remove(userDn(9));
  const { to } = await run();
  const expected = guidOf(userDn(3));
  ldap.store.remove(userDn(3));
  const [tombstone] = [...ldap.store.all].filter(({ guid }) => guid.toString("hex") === expected);
  const parent = tombstone!.attributes.get("lastknownparent")!;
  // Told before, as it looks to DirSync: only a later change of the object comes.
  parent.usn = 0;
  assert.deepEqual((await run({ from: to })).told("delete").map(plain), [expected]);
  parent.values = [];
  const listed = await run({ from: to });
  assert.deepEqual([listed.told("delete"), listed.told("kept").length], [[], 9]);
});

test("with `reconcile` a run names all that there is, and says so", async (t) => {
  const { ldap, run } = await start(t);
  const { to } = await run();
  ldap.store.set(userDn(0), { sAMAccountName: "neu0" });
  ldap.store.remove(userDn(1));
  // Of what was deleted nothing need be asked: it is not among what is there.
  const asked: string[] = [];
  ldap.emulated.answer = ({ base, controls }) => {
    if (base.startsWith("<") && controls.has("1.2.840.113556.1.4.417")) asked.push(base);
    return undefined;
  };
  const { told, warnings } = await run({ from: to, reconcile: true });
  assert.deepEqual([told("update"), told("kept").length], [["neu0"], 9]);
  assert.deepEqual(warnings, [{ code: "directory.reconciled", facts: { objects: 10 } }]);
  assert.deepEqual(asked, []);
});

test("a cookie that is not known any more, another base, another controller: everything anew, and why", async (t) => {
  const { ldap, run } = await start(t);
  const [byCookie, byNumbers] = [await run(), await run({ by: "usn" })];
  const why = async (wish: object): Promise<unknown[]> => {
    const { told, warnings } = await run(wish);
    assert.equal(told("present").length, 11);
    return warnings.map(({ code, facts }) => [code, facts.why]);
  };
  ldap.forgetCookies();
  assert.deepEqual(await why({ from: byCookie.to }), [["directory.changes_by", "cookieLost"]]);
  assert.deepEqual(await why({ from: byCookie.to, classes: ["user", "group"] }), [
    ["directory.changes_by", "otherBase"],
  ]);
  // A cookie of another controller's, or of this one's before it was put back, leaves out what they know otherwise.
  const anew = await run();
  for (const { to } of [byNumbers, anew]) {
    const other = to.replace(/[0-9a-f]{8}-/, "00000000-");
    assert.deepEqual(await why({ from: other }), [["directory.changes_by", "otherController"]]);
    const later = to.replace(/[0-9]+$/, "999999999");
    assert.deepEqual(await why({ from: later }), [["directory.changes_by", "olderController"]]);
  }
});

test("a login that is not shown whose cookie it is goes on by it all the same", async (t) => {
  const { ldap, run } = await start(t);
  const { emulated } = ldap;
  const known = await run();
  emulated.answer = ({ base }) =>
    base.startsWith("CN=NTDS Settings,") ? { parts: [], code: 32, diagnostic: "0000208D: hidden\0" } : undefined;
  // Who was shown it before may be at another controller now.
  const [warning] = (await run({ from: known.to })).warnings;
  assert.deepEqual([warning?.facts.kind, warning?.facts.why], ["full", "otherController"]);
  const first = await run();
  assert.match(first.to, /^dirSyncAll\/[^/]+\/[0-9]+\/[^/]+$/);
  ldap.store.set(userDn(0), { sAMAccountName: "neu0" });
  assert.deepEqual((await run({ from: first.to })).told("update"), ["neu0"]);
  await assert.rejects(run({ by: "usn" }), { code: "directory.unsupported" });
});

test("a directory that refuses DirSync is followed by its update numbers, and the run says so", async (t) => {
  const { ldap, run } = await start(t);
  ldap.emulated.answer = ({ controls }) =>
    controls.has("1.2.840.113556.1.4.841") ? { parts: [], code: 12, diagnostic: "00002040: no" } : undefined;
  const first = await run();
  assert.deepEqual(first.warnings, [
    { code: "directory.changes_by", facts: { kind: "first", by: "usn", why: "dirSyncRefused" } },
  ]);
  ldap.store.set(userDn(0), { sAMAccountName: "neu0" });
  ldap.store.remove(userDn(1));
  const delta = await run({ from: first.to });
  assert.deepEqual([delta.told("update"), delta.told("kept").length], [["neu0"], 9]);
});

test("a run that would take away more than it may ends with an error, whether deletions are told or found out", async (t) => {
  const { ldap, run } = await start(t);
  ldap.store.remove(userDn(9));
  const [byCookie, byNumbers] = [await run(), await run({ by: "usn" })];
  for (const index of [0, 1, 2]) ldap.store.remove(userDn(index));
  for (const from of [byCookie.to, byNumbers.to]) {
    await assert.rejects(run({ from, mostDeletes: 2 }), { code: "directory.too_many_deletes" });
    await run({ from, mostDeletes: 3 });
  }
});

test("a later session of a run, and a backfill, keep the end that was planned", async (t) => {
  const { run } = await start(t);
  const first = await run();
  assert.equal((await run({ plan: first.plan })).to, first.to);
  assert.equal((await run({ to: first.to })).to, first.to);
});

test("without objectGUID, with an end, or from another's watermark there are no changes", async (t) => {
  const { run } = await start(t);
  for (const wish of [{ attributes: ["mail"] }, { from: "usn/x", to: "x" }, { from: "ct/1/2/3" }]) {
    await assert.rejects(run(wish), { code: "request.invalid" });
  }
});

test("changes of a place that the owner denies are none of a request's, however it spells the place", async (t) => {
  const { run } = await start(t);
  const deny = (attributes?: string[]) => ({ denials: [{ id: "none", bases: [STAFF], attributes }] });
  for (const by of ["dirSync", "usn"]) {
    for (const base of [STAFF, STAFF.replace("Staff", "Stáff"), DOMAIN.replace("corp", "córp")]) {
      const bases = [DOMAIN];
      await assert.rejects(run({ base, by }, { bases, ...deny() }), { code: "policy.denied" });
      const attributes = ["objectGUID", "department"];
      await assert.rejects(run({ base, by, attributes }, { bases, ...deny(["department"]) }), {
        code: "policy.denied",
      });
      assert.ok((await run({ base, by }, { bases, ...deny(["department"]) })).rows.length > 10);
    }
  }
});
