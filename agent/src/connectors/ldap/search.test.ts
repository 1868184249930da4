import assert from "node:assert/strict";
import { test } from "node:test";
import { adSchema } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { createRecorder } from "../mssql/test-output.ts";
import { ldapConnector } from "./index.ts";
import { STAFF, startDirectory } from "./test-directory.ts";
import { addUsers, firsts, never, run } from "./test-search.ts";

test("every object comes once, over pages that the directory makes smaller than asked for", async (t) => {
  const { target, ldap } = await startDirectory(t, { limits: { pageSize: 70 } });
  addUsers(ldap, 500);
  const { recorder, outcome } = await run(target(), {}, {}, { batchBytes: 1024 });
  assert.equal(recorder.rows.length, 501);
  assert.equal(new Set(firsts(recorder)).size, 501);
  assert.deepEqual(outcome, { complete: true, warnings: [] });
});

test("each syntax becomes its own type, and no value loses anything", async (t) => {
  const { target, ldap } = await startDirectory(t);
  const kari = ldap.store.add(`CN=Nordmann\\, Kari,${STAFF}`, "user", {
    ...{ sAMAccountName: "kari", givenName: "Kåri ☃", userAccountControl: "-2147483646" },
    ...{ whenCreated: "20240229235959.0Z", pwdLastSet: "133801920000000001", accountExpires: "9223372036854775807" },
    ...{ thumbnailPhoto: Buffer.from([0xff, 0xd8, 0, 1]), showInAdvancedViewOnly: "TRUE" },
    ...{
      proxyAddresses: ["SMTP:kari@corp.example", "smtp:kåri@corp.example"],
      userCertificate: [Buffer.from([1]), Buffer.from([2, 3])],
    },
    uSNChanged: "9007199254740993",
  });
  const attributes = [
    ...["objectGUID", "objectSid", "givenName", "userAccountControl", "whenCreated", "pwdLastSet", "accountExpires"],
    ...[
      "thumbnailPhoto",
      "showInAdvancedViewOnly",
      "proxyAddresses",
      "userCertificate",
      "uSNChanged",
      "distinguishedName",
      "sn",
    ],
  ];
  const { recorder } = await run(target(), {
    attributes,
    filter: { attribute: "sAMAccountName", is: "equal", value: "kari" },
  });
  assert.deepEqual(
    recorder.columns.map(({ type }) => (type.kind === "list" ? `list of ${type.of.kind}` : type.kind)),
    [
      ...["fixedBinary", "utf8", "utf8", "int", "timestamp", "timestamp", "timestamp", "binary", "bool"],
      ...["list of utf8", "list of binary", "int", "utf8", "utf8"],
    ],
  );
  const [row] = recorder.rows;
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const hex = Buffer.from(order.map((at) => kari.guid[at]!)).toString("hex");
  assert.equal(String(row?.[0]).replaceAll("-", ""), hex);
  assert.match(String(row?.[1]), /^S-1-5-21-\d+-\d+-\d+-\d+$/);
  assert.deepEqual(row?.slice(2), [
    ...["Kåri ☃", -2147483646, "2024-02-29T23:59:59.000000", "2025-01-01T08:00:00.0000001", null, "/9gAAQ==", true],
    ...[["SMTP:kari@corp.example", "smtp:kåri@corp.example"], ["AQ==", "AgM="], "9007199254740993"],
    ...[`CN=Nordmann\\, Kari,${STAFF}`, null],
  ]);
});

test("a value that its column cannot hold is an error, and its text is not in it", async (t) => {
  for (const values of [
    { whenCreated: "yesterday" },
    { userAccountControl: "abc" },
    { pwdLastSet: "2650467743999999999" },
  ]) {
    const { target, ldap } = await startDirectory(t);
    addUsers(ldap, 1, () => values);
    const attributes = Object.keys(values);
    await assert.rejects(run(target(), { attributes }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "value.not_exact");
      return !error.message.includes(Object.values(values)[0]!);
    });
  }
});

test("with `timestamps: text` times of any year are carried, as text; others stay what they are", async (t) => {
  const { target, ldap } = await startDirectory(t);
  addUsers(ldap, 2, (index) => ({
    accountExpires: ["2650467743999999999", "9223372036854775807"][index]!,
    whenCreated: "20200101000000.0Z",
  }));
  const wish = { attributes: ["accountExpires", "whenCreated"], timestamps: "text" } as const;
  const { recorder } = await run(target(), {
    ...wish,
    filter: { attribute: "sAMAccountName", is: "startsWith", value: "user" },
  });
  assert.deepEqual(recorder.rows, [
    ["9999-12-31T23:59:59.9999999Z", "2020-01-01T00:00:00.000000"],
    [null, "2020-01-01T00:00:00.000000"],
  ]);
  assert.deepEqual(
    recorder.columns.map(({ type }) => type.kind),
    ["utf8", "timestamp"],
  );
});

const FILTERS: readonly (readonly [filter: unknown, found: readonly string[]])[] = [
  [{ attribute: "sAMAccountName", is: "equal", value: "USER00001" }, ["user00001"]],
  [{ attribute: "sAMAccountName", is: "startsWith", value: "user0000" }, ["user00000", "user00001", "user00002"]],
  [{ attribute: "sAMAccountName", is: "endsWith", value: "2" }, ["user00002"]],
  [{ attribute: "sAMAccountName", is: "contains", value: "0001" }, ["user00001"]],
  [{ attribute: "sAMAccountName", is: "equal", value: "*)(objectClass=*" }, []],
  [{ attribute: "sAMAccountName", is: "contains", value: "*" }, []],
  [{ attribute: "department", is: "present" }, ["user00000", "user00001", "user00002"]],
  [{ attribute: "userAccountControl", is: "bitsAll", value: "2" }, ["user00001"]],
  [{ attribute: "userAccountControl", is: "bitsAny", value: "514" }, ["user00000", "user00001", "user00002"]],
  [{ not: { attribute: "department", is: "equal", value: "Sales 1" } }, ["svc-sync", "user00000", "user00002"]],
  [
    {
      any: [
        { attribute: "department", is: "equal", value: "Sales 0" },
        { all: [{ attribute: "userAccountControl", is: "atLeast", value: "514" }] },
      ],
    },
    ["user00000", "user00001"],
  ],
  [{ attribute: "whenCreated", is: "atMost", value: "2020-01-01T00:00:02Z" }, ["user00000", "user00001", "user00002"]],
  [{ attribute: "whenCreated", is: "equal", value: "2020-01-01T00:00:01Z" }, ["user00001"]],
  [{ attribute: "2.5.4.0", is: "equal", value: "group" }, []],
  [{ attribute: "noSuchThing", is: "equal", value: "x" }, []],
];

test("filters find what they say, and a value is never a part of one", async (t) => {
  const { target, ldap } = await startDirectory(t);
  addUsers(ldap, 3, (index) => ({
    ...{ department: `Sales ${index}`, userAccountControl: index === 1 ? "514" : "512" },
    whenCreated: `2020010100000${index}.0Z`,
  }));
  for (const [filter, found] of FILTERS) {
    const { recorder } = await run(target(), { filter });
    assert.deepEqual(firsts(recorder), found, JSON.stringify(filter));
  }
  const one = ldap.store.find(`CN=user00001,${STAFF}`)!;
  const { recorder } = await run(target(), { attributes: ["objectGUID", "objectSid"] });
  for (const [attribute, at] of [
    ["objectGUID", 0],
    ["objectSid", 1],
  ] as const) {
    const value = String(recorder.rows.find(([guid]) => String(guid).endsWith(one.guid.toString("hex", 10)))?.[at]);
    const again = await run(target(), { filter: { attribute, is: "equal", value } });
    assert.deepEqual(firsts(again.recorder), ["user00001"]);
  }
});

test("a value that is nothing for its attribute is refused", async (t) => {
  const { target } = await startDirectory(t);
  const bad: readonly (readonly [attribute: string, is: string, value: string])[] = [
    ["objectGUID", "equal", "not-a-guid"],
    ["objectGUID", "atLeast", "01234567-89ab-cdef-0123-456789abcdef"],
    ["userAccountControl", "equal", "abc"],
    ["userAccountControl", "bitsAll", "0x2"],
    ["whenCreated", "atLeast", "2020-02-30T00:00:00Z"],
    ["objectSid", "equal", "S-2-x"],
  ];
  for (const [attribute, is, value] of bad) {
    await assert.rejects(run(target(), { filter: { attribute, is, value } }), { code: "request.invalid" });
  }
});

test("a group's 5,000 members come whole, and an error where they change meanwhile", async (t) => {
  const { target, ldap } = await startDirectory(t);
  const members = Array.from({ length: 5000 }, (_, index) => `CN=member${index},${STAFF}`);
  ldap.store.add(`CN=all,${STAFF}`, "group", { groupType: "2", member: members, cn: "all" });
  const asked = { classes: ["group"], attributes: ["cn", "member"] };
  const { recorder } = await run(target(), asked);
  assert.deepEqual(recorder.rows, [["all", members]]);

  let reads = 0;
  ldap.emulated.answer = ({ base }) => {
    reads += base.startsWith("<GUID=") ? 1 : 0;
    if (reads === 3) ldap.store.set(`CN=all,${STAFF}`, { member: members.slice(1) });
    return undefined;
  };
  await assert.rejects(run(target(), asked), { code: "directory.changed" });
});

test("a computer is no user by that word, and is found by its own", async (t) => {
  const { target, ldap } = await startDirectory(t);
  ldap.store.add(`CN=pc1,${STAFF}`, "computer", { sAMAccountName: "pc1$" });
  assert.deepEqual(firsts((await run(target(), {})).recorder), ["svc-sync"]);
  assert.deepEqual(firsts((await run(target(), { classes: ["computer"] })).recorder), ["pc1$"]);
  await assert.rejects(run(target(), { classes: ["wizard"] }), { code: "request.invalid" });
});

test("everything is everything but secrets and what is made on demand", async (t) => {
  const { target, ldap } = await startDirectory(t);
  ldap.store.set(`CN=svc-sync,${STAFF}`, { unicodePwd: Buffer.from("hash") });
  const { recorder } = await run(target(), { attributes: "*" });
  const names = recorder.columns.map(({ name }) => name);
  assert.ok(
    ["objectGUID", "sAMAccountName", "mail", "whenChanged", "userAccountControl"].every((name) => names.includes(name)),
  );
  for (const hidden of ["unicodePwd", "nTSecurityDescriptor", "tokenGroups", "groupType"])
    assert.ok(!names.includes(hidden), hidden);
  assert.ok(!JSON.stringify(ldap.log).includes("unicodePwd"));
});

test("what the owner denies, and what is never read, is found behind every name that the schema has for it", async (t) => {
  const { target } = await startDirectory(t);
  const department = "1.2.840.113556.1.2.141";
  const filter = { attribute: "department", is: "present" };
  for (const [asked, denied] of [
    [{ attributes: [department] }, ["department"]],
    [{ attributes: ["department"] }, [department]],
    [{ filter }, [department]],
    [{ attributes: ["1.2.840.113556.1.4.90"] }, []],
    [{ attributes: ["ms-Mcs-AdmPwd"] }, []],
  ] as const) {
    await assert.rejects(run(target(), asked, { denied }), { code: "policy.denied" });
  }
  await assert.rejects(run(target(), { attributes: ["mail", "0.9.2342.19200300.100.1.3"] }), {
    code: "request.invalid",
  });
});

test("an attribute that the schema does not have is an empty column and a warning", async (t) => {
  const { target } = await startDirectory(t);
  const { recorder, warnings } = await run(target(), { attributes: ["sAMAccountName", "favouriteColour"] });
  assert.deepEqual(recorder.rows, [["svc-sync", null]]);
  assert.deepEqual(warnings, [{ code: "directory.unknown_attribute", facts: { attributes: ["favouriteColour"] } }]);
});

test("the schema is shown as far as rules show it, with what becomes of each attribute", async (t) => {
  const { target } = await startDirectory(t);
  const recorder = createRecorder();
  const shown = [{ classes: ["user"], attributes: ["mail", "objectGUID", "proxyAddresses", "whenChanged", "member"] }];
  const grant = { kind: "directorySchema", rule: "staff", bases: [STAFF], classes: ["user"], shown } as const;
  const operation = adSchema.parse({ op: "ad.schema" });
  await ldapConnector(target(), operation, grant, DEFAULT_LIMITS, recorder, never);
  const [result] = recorder.results as [{ classes: { name: string }[]; attributes: { name: string }[] }];
  assert.deepEqual(result.classes, [
    {
      ...{ name: "user", oid: "1.2.840.113556.1.5.9", parent: "organizationalPerson", kind: "structural" },
      attributes: ["mail", "objectGUID", "proxyAddresses", "whenChanged"],
    },
  ]);
  assert.deepEqual(
    result.attributes.map(({ name, column, several }: { name: string; column?: string; several?: boolean }) => [
      name,
      column,
      several,
    ]),
    [
      ["mail", "utf8", false],
      ["objectGUID", "uuid", false],
      ["proxyAddresses", "utf8", true],
      ["whenChanged", "timestamp", false],
    ],
  );
  const unknown = adSchema.parse({ op: "ad.schema", class: "wizard" });
  await assert.rejects(ldapConnector(target(), unknown, grant, DEFAULT_LIMITS, createRecorder(), never), {
    code: "directory.not_found",
  });
});

const SECRET = `OU=Geheim,${STAFF}`;
const ALL_DENIED = { denials: [{ id: "none", bases: [SECRET] }] };
const NO_DEPARTMENTS = { denials: [{ id: "departments", bases: [SECRET], attributes: ["department"] }] };
/** Names that Windows, and so the emulator, takes for `OU=Geheim`, and that no policy need know of. */
const RESPELT = ["OU=Geheím", "OU=Ｇeheim"];

test("what the owner denies stays there however the request spells its place, and above it", async (t) => {
  const { target, ldap } = await startDirectory(t);
  ldap.store.add(SECRET, "organizationalUnit");
  ldap.store.add(`CN=kari,${SECRET}`, "user", { sAMAccountName: "kari", department: "Salg" });
  for (const base of [SECRET, ...RESPELT.map((first) => `${first},${STAFF}`), `CN=kari,${RESPELT[0]},${STAFF}`]) {
    assert.equal((await run(target(), { base })).recorder.rows.length, 1, base);
    await assert.rejects(run(target(), { base }, ALL_DENIED), { code: "policy.denied" }, base);
    for (const attributes of ["*", ["department"], ["1.2.840.113556.1.2.141"]] as const) {
      await assert.rejects(run(target(), { base, attributes }, NO_DEPARTMENTS), { code: "policy.denied" }, base);
    }
    assert.equal((await run(target(), { base }, NO_DEPARTMENTS)).recorder.rows.length, 1, base);
  }
  const above = STAFF.replace("Staff", "Stáff");
  await assert.rejects(run(target(), { base: above }, ALL_DENIED), { code: "policy.denied" });
  const filter = { attribute: "department", is: "present" };
  await assert.rejects(run(target(), { base: above, filter }, NO_DEPARTMENTS), { code: "policy.denied" });
  // The base alone takes nothing along.
  const { recorder } = await run(target(), { base: above, scope: "base", classes: ["organizationalUnit"] }, ALL_DENIED);
  assert.equal(recorder.rows.length, 1);
});
