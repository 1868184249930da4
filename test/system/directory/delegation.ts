/** What a dry run tells of rights, against a real controller: a login that was given some, and tries what it was told. */
import assert from "node:assert/strict";
import { sidText } from "@sallyport/agent/src/connectors/ldap/sid.ts";
import type { Check } from "../suite.ts";
import { type Controller, DC } from "./controller.ts";
import { ldapModify, ldapSearch } from "./ldap-tools.ts";
import { READER } from "./people.ts";
import { GRANT, write } from "./writes.ts";

const UNIT = `OU=Delegated,${DC}`;
const PERSON = `CN=Delegated,${UNIT}`;
const THERE = { ...GRANT, bases: [UNIT], destinations: [UNIT] };
/** As docs/connectors/active-directory.md says to give them: department of users, and groups to make. */
const GIVEN = [
  "(OA;CIIO;WP;bf96794f-0de6-11d0-a285-00aa003049e2;bf967aba-0de6-11d0-a285-00aa003049e2;SID)",
  "(OA;CI;CC;bf967a9c-0de6-11d0-a285-00aa003049e2;;SID)",
];

async function delegate(controller: Controller): Promise<void> {
  await ldapModify(controller, [`dn: ${UNIT}\nchangetype: add\nobjectClass: organizationalUnit\n`]);
  const own = ["-b", `CN=${READER.account},CN=Users,${DC}`, "-s", "base", "(objectClass=*)", "objectSid"];
  const [, sid = ""] = /^objectSid:: (.*)$/m.exec(await ldapSearch(controller, own)) ?? [];
  const sddl = GIVEN.join("").replaceAll("SID", sidText(Buffer.from(sid, "base64")) ?? "");
  await controller.tool("dsacl", "set", "--action=allow", `--objectdn=${UNIT}`, `--sddl=${sddl}`);
  const person = `dn: ${PERSON}\nchangetype: add\nobjectClass: user\nsAMAccountName: delegated\n`;
  await ldapModify(controller, [person]);
}

export async function checkDelegation(check: Check, controller: Controller): Promise<void> {
  const asReader = (wish: object) => write(controller, wish, THERE, READER);
  const set = (attribute: string) => ({ attribute, do: "set", values: ["Salg"] });
  const modify = (...names: readonly string[]) => ({ action: "modify", object: PERSON, changes: names.map(set) });
  const add = (objectClass: string) => ({
    ...{ action: "add", class: objectClass, object: `CN=new ${objectClass},${UNIT}` },
    attributes: { sAMAccountName: [`new${objectClass}`] },
  });
  await check("a login is given the rights to write departments and to make groups", () => delegate(controller));
  await check(
    "ad.write dry: which attributes the login may not write, before and as the controller refuses them",
    async () => {
      const dry = await asReader({ ...modify("displayName", "department", "otherTelephone"), dryRun: true });
      assert.deepEqual([dry.mayNotWrite, dry.mayNotCreate], [["displayName", "otherTelephone"], []]);
      const refused = { code: "directory.permission", message: /: Write property, of each attribute\.$/ };
      await assert.rejects(asReader(modify("displayName")), refused);
      await assert.rejects(asReader(modify("department", "otherTelephone")), refused);
      assert.equal((await asReader(modify("department"))).changed, true);
    },
  );
  await check("ad.write dry: which class of object the login may not make, before and as it is refused", async () => {
    const told = async (objectClass: string) => (await asReader({ ...add(objectClass), dryRun: true })).mayNotCreate;
    assert.deepEqual([await told("user"), await told("group")], [["user"], []]);
    await assert.rejects(asReader(add("user")), { code: "directory.permission" });
    assert.equal((await asReader(add("group"))).changed, true);
  });
  await check("ad.write: deletions, new names and passwords that are refused name the right, too", async () => {
    const cases = {
      delete: [{ action: "delete" }, "Delete, or Delete child objects above it"],
      rename: [{ action: "rename", name: "CN=Other" }, "Write property: name, and cn or ou"],
      setPassword: [{ action: "setPassword", password: "Fjell-2026-Multer!" }, "Reset password"],
    } as const;
    for (const [name, [wish, right]] of Object.entries(cases)) {
      const dry = await asReader({ ...wish, object: PERSON, dryRun: true });
      assert.deepEqual([dry.mayNotWrite, dry.mayNotCreate], [[], []], name);
      await assert.rejects(asReader({ ...wish, object: PERSON }), ({ code, detail }) => {
        assert.deepEqual([code, detail.right], ["directory.permission", right], name);
        return true;
      });
    }
  });
}
