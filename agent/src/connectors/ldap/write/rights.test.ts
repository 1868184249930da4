import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { adWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { NEVER_WRITTEN_OIDS } from "../../../policy/directory/never.ts";
import type { DirectoryGrant } from "../../directory-grant.ts";
import { createRecorder } from "../../mssql/test-output.ts";
import { ldapConnector } from "../index.ts";
import { STAFF, startDirectory } from "../test-directory.ts";

const GRANT: DirectoryGrant = {
  ...{ kind: "directoryWrite", rule: "write", bases: [STAFF], destinations: [STAFF], classes: "*" },
  ...{ denied: [], denials: [], neverWritten: NEVER_WRITTEN_OIDS, passwordSetsPerDay: 20, deletesPerRun: 10 },
  attributes: ["department", "displayName", "sAMAccountName", "member"],
};
const KARI = `CN=kari,${STAFF}`;
const GROUP = `CN=all,${STAFF}`;
const SALES = `OU=Sales,${STAFF}`;
const set = (attribute: string) => ({ attribute, do: "set", values: ["x"] });
const NEW = { action: "add", object: `CN=ny,${STAFF}`, attributes: { sAMAccountName: ["ny"] } };

/** A login that may write departments and make groups, and nothing else. */
async function start(t: TestContext) {
  const { ldap, target } = await startDirectory(t);
  ldap.store.add(KARI, "user", { sAMAccountName: "kari" });
  ldap.store.add(GROUP, "group", { sAMAccountName: "all" });
  ldap.store.add(SALES, "organizationalUnit");
  ldap.emulated.rights = () => ({ attributes: ["department"], children: ["group"] });
  const write = async (wish: object) => {
    const recorder = createRecorder();
    const operation = adWrite.parse({ op: "ad.write", object: KARI, class: "user", ...wish });
    await ldapConnector(target(), operation, GRANT, DEFAULT_LIMITS, recorder, new AbortController().signal);
    return recorder.results[0] as Record<string, unknown>;
  };
  const changes = () => ldap.log.filter(({ event }) => event === "change").length;
  return { ldap, write, changes };
}

const CASES: readonly {
  readonly name: string;
  readonly wish: object;
  readonly mayNotWrite?: readonly string[];
  readonly mayNotCreate?: readonly string[];
}[] = [
  {
    name: "attributes of a change, by the names of the request",
    wish: { action: "modify", changes: [set("department"), set("displayName"), set("1.2.840.113556.1.4.221")] },
    mayNotWrite: ["displayName", "1.2.840.113556.1.4.221"],
  },
  {
    name: "the members of a group",
    wish: { action: "members", class: "group", object: GROUP, add: [KARI] },
    mayNotWrite: ["member"],
  },
  { name: "an object of a class below another", wish: NEW, mayNotCreate: ["user"] },
  {
    name: "the same of one that is moved there",
    wish: { action: "move", destination: SALES },
    mayNotCreate: ["user"],
  },
  { name: "one that may be moved there", wish: { action: "move", class: "group", object: GROUP, destination: SALES } },
  { name: "a rename, which the directory does not tell of", wish: { action: "rename", name: "CN=other" } },
  { name: "a deletion, likewise", wish: { action: "delete" } },
  { name: "a password, likewise", wish: { action: "setPassword", password: "Fjell-2026-Multer!" } },
];
for (const { name, wish, mayNotWrite = [], mayNotCreate = [] } of CASES) {
  test(`a dry run tells what the login may not do: ${name}`, async (t) => {
    const { write, changes } = await start(t);
    const told = await write({ ...wish, dryRun: true });
    assert.deepEqual([told.mayNotWrite, told.mayNotCreate, told.wouldChange], [mayNotWrite, mayNotCreate, true]);
    assert.equal(changes(), 0);
  });
}

test("what a dry run told is refused when it is tried, with the right by its name; what it did not, is done", async (t) => {
  const { write } = await start(t);
  const code = "directory.permission";
  await assert.rejects(write({ action: "modify", changes: [set("displayName")] }), {
    ...{ code, detail: { number: 50, state: "2098", right: "Write property, of each attribute" } },
  });
  await assert.rejects(write(NEW), { code });
  assert.equal((await write({ action: "modify", changes: [set("department")] })).changed, true);
});
