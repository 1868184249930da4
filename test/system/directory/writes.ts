/** `ad.write` against a real controller: each word, twice for the same, dry, and on what is never written. */
import assert from "node:assert/strict";
import type { DirectoryGrant } from "@sallyport/agent/src/connectors/directory-grant.ts";
import { ldapConnector } from "@sallyport/agent/src/connectors/ldap/index.ts";
import { createRecorder } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { NEVER_WRITTEN_OIDS } from "@sallyport/agent/src/policy/directory/never.ts";
import { adWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { Check } from "../suite.ts";
import { ADMINISTRATOR, type Controller, DC } from "./controller.ts";
import { ldapModify, ldapSearch } from "./ldap-tools.ts";
import { type Credential, countStaff, targetOf } from "./sign-ins.ts";

const UNIT = `OU=Written,${DC}`;
const ELSEWHERE = `OU=Elsewhere,${DC}`;
const PERSON = `CN=Nordmann\\, Kari,${UNIT}`;
const GROUP = `CN=Written group,${UNIT}`;
const NEW_PASSWORD = "Fjell-2026-Multer!";

export const GRANT: DirectoryGrant = {
  ...{ kind: "directoryWrite", rule: "write", bases: [UNIT], destinations: [UNIT, ELSEWHERE], classes: "*" },
  attributes: ["sAMAccountName", "displayName", "department", "userAccountControl", "otherTelephone", "employeeNumber"],
  ...{
    denied: ["employeeNumber"],
    denials: [],
    neverWritten: NEVER_WRITTEN_OIDS,
    passwordSetsPerDay: 20,
    deletesPerRun: 10,
  },
};
/** Everywhere, and every attribute that there is a word for: the walls that stay are the connector's own. */
const EVERYWHERE: DirectoryGrant = { ...GRANT, bases: [DC], destinations: [DC] };

export interface Told {
  readonly changed: boolean;
  readonly wouldChange: boolean;
  readonly guid: string | null;
  /** Of a dry run. */
  readonly mayNotWrite?: readonly string[];
  readonly mayNotCreate?: readonly string[];
}

export async function write(
  controller: Controller,
  wish: object,
  grant = GRANT,
  who: Credential = ADMINISTRATOR,
): Promise<Told> {
  const target = targetOf(controller, "required", "simple", who);
  const recorder = createRecorder();
  const operation = adWrite.parse({ op: "ad.write", class: "user", ...wish });
  await ldapConnector(target, operation, grant, DEFAULT_LIMITS, recorder, new AbortController().signal);
  return recorder.results[0] as Told;
}

const person = { sAMAccountName: ["kari"], displayName: ["Kari Nordmann"], userAccountControl: ["512"] };
const add = { action: "add", object: PERSON, attributes: person, password: "Blåbær-2026-Kari" };

/** Dry it would change something and does not; then it does; then there is nothing left to do. */
async function thrice(controller: Controller, wish: object): Promise<Told> {
  const facts = async (more: object) => {
    const { changed, wouldChange } = await write(controller, { ...wish, ...more });
    return [changed, wouldChange];
  };
  assert.deepEqual(await facts({ dryRun: true }), [false, true], "dry");
  const told = await write(controller, wish);
  assert.deepEqual([told.changed, told.wouldChange], [true, true], "done");
  assert.deepEqual(await facts({}), [false, false], "again");
  return told;
}

export async function checkWrites(check: Check, controller: Controller): Promise<void> {
  const unit = (dn: string): string => `dn: ${dn}\nchangetype: add\nobjectClass: organizationalUnit\n`;
  await ldapModify(controller, [
    unit(UNIT),
    unit(ELSEWHERE),
    `dn: ${GROUP}\nchangetype: add\nobjectClass: group\nsAMAccountName: written\n`,
  ]);
  let guid: string | null = null;
  const find = (dn: string, ...attributes: readonly string[]): Promise<string> =>
    ldapSearch(controller, ["-b", dn, "-s", "base", "(objectClass=*)", ...attributes]);
  const signsIn = (password: string): Promise<number> =>
    countStaff(targetOf(controller, "required", "simple", { user: "CORP\\kari", password }));

  await check("ad.write add: a person with a password and enabled at once, who then signs in", async () => {
    ({ guid } = await thrice(controller, add));
    assert.ok((await signsIn(add.password)) > 0);
  });
  await check(
    "ad.write modify: values set, added and removed; the switches of an account alone are changed",
    async () => {
      await ldapModify(controller, [
        `dn: ${PERSON}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 66048\n`,
      ]);
      const changes = [
        { attribute: "department", do: "set", values: ["Salg"] },
        { attribute: "otherTelephone", do: "add", values: ["1", "2"] },
        { attribute: "userAccountControl", do: "set", values: ["514"] },
      ];
      await thrice(controller, { action: "modify", object: PERSON, changes });
      const remove = [{ attribute: "otherTelephone", do: "remove", values: ["2", "3"] }];
      await thrice(controller, { action: "modify", object: PERSON, changes: remove });
      const found = await find(PERSON, "department", "otherTelephone", "userAccountControl");
      assert.match(found, /department: Salg\n/);
      assert.match(found, /otherTelephone: 1\n/);
      // 0x10000, a password that never expires, stayed.
      assert.match(found, /userAccountControl: 66050\n/);
    },
  );
  await check(
    "ad.write setPassword: the new one signs in, the old one does not; a weak one is refused as such",
    async () => {
      const enable = [{ attribute: "userAccountControl", do: "set", values: ["512"] }];
      await write(controller, { action: "modify", object: PERSON, changes: enable });
      await write(controller, { action: "setPassword", object: PERSON, password: NEW_PASSWORD });
      assert.ok((await signsIn(NEW_PASSWORD)) > 0);
      await assert.rejects(write(controller, { action: "setPassword", object: PERSON, password: "a" }), {
        code: "directory.password_policy",
      });
    },
  );
  await check("ad.write members, rename, move, delete: each once, and no more", async () => {
    await thrice(controller, { action: "members", class: "group", object: GROUP, add: [PERSON] });
    await thrice(controller, { action: "members", class: "group", object: GROUP, remove: [PERSON] });
    await thrice(controller, { action: "rename", object: PERSON, guid, name: "CN=Kari \\+ Ola\\\\" });
    await thrice(controller, { action: "move", object: PERSON, guid, destination: ELSEWHERE });
    assert.match(await find(`CN=Kari \\+ Ola\\\\,${ELSEWHERE}`, "sAMAccountName"), /sAMAccountName: kari\n/);
    await thrice(controller, { action: "move", object: PERSON, guid, destination: UNIT });
    await thrice(controller, { action: "delete", object: PERSON, guid });
  });
  await check(
    "ad.write: what the schema does not take, what is there, and what is not empty are refused by their codes",
    async () => {
      await write(controller, add);
      const modify = (attribute: string, ...values: string[]) => ({
        ...{ action: "modify", object: PERSON, changes: [{ attribute, do: "set", values }] },
      });
      const cases: readonly (readonly [object, string])[] = [
        [modify("userAccountControl", "abc"), "request.invalid"],
        [modify("displayName", "one", "two"), "request.invalid"],
        [modify("noSuchAttribute", "x"), "request.invalid"],
        [modify("description", "x"), "policy.denied"],
        [modify("employeeNumber", "1"), "policy.denied"],
        [{ ...add, object: `CN=Other,${UNIT}` }, "directory.exists"],
        [{ action: "delete", object: UNIT, class: "organizationalUnit" }, "directory.not_empty"],
        [{ action: "delete", object: `CN=Nobody,${UNIT}` }, "directory.not_found"],
        [{ action: "delete", object: PERSON, class: "group" }, "policy.denied"],
        [{ action: "members", class: "group", object: GROUP, add: [ADMIN] }, "policy.denied"],
      ];
      for (const [wish, code] of cases) await assert.rejects(write(controller, wish), { code }, JSON.stringify(wish));
    },
  );
  await checkGuard(check, controller);
}

const ADMIN = `CN=Administrator,CN=Users,${DC}`;

/** Who rules the domain, directly and through two groups, and how each might be tried. */
async function checkGuard(check: Check, controller: Controller): Promise<void> {
  const group = (name: string, member: string): string =>
    `dn: CN=${name},${UNIT}\nchangetype: add\nobjectClass: group\nsAMAccountName: ${name}\nmember: ${member}\n`;
  await ldapModify(controller, [
    `dn: CN=quiet,${UNIT}\nchangetype: add\nobjectClass: user\nsAMAccountName: quiet\n`,
    `dn: CN=marked,${UNIT}\nchangetype: add\nobjectClass: user\nsAMAccountName: marked\nadminCount: 1\n`,
    group("inner", `CN=quiet,${UNIT}`),
    group("outer", `CN=inner,${UNIT}`),
    `dn: CN=Domain Admins,CN=Users,${DC}\nchangetype: modify\nadd: member\nmember: CN=outer,${UNIT}\n`,
  ]);
  const OBJECTS: readonly (readonly [dn: string, objectClass: string])[] = [
    [ADMIN, "user"],
    [`CN=krbtgt,CN=Users,${DC}`, "user"],
    [`CN=DC1,OU=Domain Controllers,${DC}`, "computer"],
    [`CN=Domain Admins,CN=Users,${DC}`, "group"],
    [`CN=Enterprise Admins,CN=Users,${DC}`, "group"],
    [`CN=Cert Publishers,CN=Users,${DC}`, "group"],
    [DC, "domainDNS"],
    [`CN=Administrators,CN=Builtin,${DC}`, "group"],
    [`CN=Backup Operators,CN=Builtin,${DC}`, "group"],
    [`CN=quiet,${UNIT}`, "user"],
    [`CN=inner,${UNIT}`, "group"],
    [`CN=outer,${UNIT}`, "group"],
    [`CN=marked,${UNIT}`, "user"],
  ];
  const ATTEMPTS: readonly object[] = [
    { action: "modify", changes: [{ attribute: "displayName", do: "set", values: ["Mallory"] }] },
    { action: "members", add: [`CN=Nordmann\\, Kari,${UNIT}`] },
    { action: "rename", name: "CN=Mallory" },
    { action: "move", destination: UNIT },
    { action: "delete" },
    { action: "setPassword", password: NEW_PASSWORD },
  ];
  for (const [dn, objectClass] of OBJECTS) {
    await check(`ad.write never touches ${dn.slice(3, dn.indexOf(","))}, by any word, dry or not`, async () => {
      const look = (): Promise<string> =>
        ldapSearch(controller, ["-b", dn, "-s", "base", "(objectClass=*)", "uSNChanged"]);
      const before = await look();
      for (const attempt of ATTEMPTS) {
        for (const dryRun of [true, false]) {
          const wish = { object: dn, class: objectClass, ...attempt, dryRun };
          await assert.rejects(write(controller, wish, EVERYWHERE), { code: "policy.denied" }, JSON.stringify(wish));
        }
      }
      assert.equal(await look(), before);
    });
  }
}
