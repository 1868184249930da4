/** Changes of a directory and changes to it, from end to end: what pulls tell DuckDB, and what requests do at the server. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import type { RequestView } from "@sallyport/shared/schema/api-requests.ts";
import { manifest } from "@sallyport/shared/schema/pull.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { readJournal } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { DIRECTORY_CONNECTION, personDn, type SampleDirectory, STAFF, startDirectory } from "../../stack/directory.ts";
import { fetchRun, runPull } from "../../stack/pull.ts";
import { SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";

const PEOPLE = 1_200;
const AT = `/tenants/${TENANT}`;
const SALES = `OU=Sales,${STAFF}`;
const PASSWORD = "Never-in-a-file-77";
const WRITES = `      - id: joiners-and-leavers
        allow: [add, modify, delete, setPassword]
        bases: ["${STAFF}"]
        destinations: ["${STAFF}"]
        classes: [user]
        attributes: [sAMAccountName, department, userAccountControl]
        limits: { passwordSetsPerDay: 2, deletesPerRun: 1 }
        until: 2099-12-31
`;

describe("changes of a directory, end to end", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-directory-changes-"));
  let stack: Stack;
  let directory: SampleDirectory;

  before(async () => {
    const authority = await makeAuthority();
    const tls = await authority.issue({ names: ["localhost"] });
    const caFile = join(folder, "directory-ca.pem");
    writeFileSync(caFile, authority.caPem);
    directory = cleanup.add(await startDirectory(tls, caFile, PEOPLE), (it) => it.close());
    // Who is shown a deleted object is taken to be shown all.
    directory.leave(PEOPLE - 1);
    stack = await startStack({ folder, cleanup, policy: () => `v: 1\nconnections:\n${directory.entry}${WRITES}` });
    await stack.api.post(`${AT}/connections`, { id: DIRECTORY_CONNECTION, site: SITE, kind: "activeDirectory" });
    const { user, password } = directory.credential;
    await stack.api.put(`${AT}/connections/${DIRECTORY_CONNECTION}/credential`, { user, password });
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  const count = (dn: string): number =>
    directory.ldap.log.filter((one) => one.event === "change" && one.object === dn).length;

  describe("a pull of them", () => {
    const pull = async () => {
      const ended = await runPull(stack.api, TENANT, "people");
      assert.equal(ended.run.state, "published", JSON.stringify(ended.run.error));
      if (ended.run.seq === null) return { run: ended.run, rows: [] as unknown[][] };
      const { manifest: file, parts } = await fetchRun(stack.api, TENANT, ended, join(folder, "out"));
      assert.deepEqual(manifest.parse(JSON.parse(readFileSync(file!, "utf8"))).key, ["objectGUID"]);
      return { run: ended.run, rows: await read(parts) };
    };
    const read = async (parts: readonly string[]): Promise<unknown[][]> => {
      const instance = await DuckDBInstance.create(":memory:");
      const connection = await instance.connect();
      try {
        const files = parts.map((part) => `'${part}'`).join(", ");
        const query = `SELECT "_op", "sAMAccountName", "objectGUID" FROM read_parquet([${files}])`;
        return (await connection.runAndReadAll(query)).getRowsJson() as unknown[][];
      } finally {
        connection.closeSync();
        instance.closeSync();
      }
    };
    const named = (rows: readonly unknown[][], op: string): unknown[] =>
      rows.filter(([first]) => first === op).map(([, name]) => name);
    const reasons = ({ warnings }: { warnings: readonly { code: string; facts: object }[] }): unknown[] =>
      warnings.map(({ code, facts }) => [code, (facts as { why?: unknown }).why]);
    /** By GUID, as somebody who reads one run after the other has it. */
    const folded = new Map<unknown, unknown>();
    const fold = (rows: readonly unknown[][]): void => {
      const named = new Set(rows.map(([, , guid]) => guid));
      const isWhole = rows.some(([op]) => op === "present" || op === "kept");
      const unnamed = isWhole ? [...folded.keys()].filter((guid) => !named.has(guid)) : [];
      for (const guid of unnamed) folded.delete(guid);
      for (const [op, name, guid] of rows) {
        if (op === "delete") folded.delete(guid);
        else if (op !== "kept") folded.set(guid, name);
      }
    };
    const there = (): unknown[] =>
      [...directory.ldap.store.all].flatMap(({ dn, deleted, attributes }) => {
        const isUser = attributes.get("objectclass")?.values.some((value) => value.toString() === "user");
        const [name] = attributes.get("samaccountname")?.values ?? [];
        return !deleted && isUser && dn.endsWith(STAFF) ? [name?.toString()] : [];
      });
    const holds = (): void => assert.deepEqual([...folded.values()].sort(), there().sort());

    it("tells everybody at first, then who came, changed and left, and goes on from there", async () => {
      await stack.api.post(`${AT}/pulls`, {
        id: "people",
        definition: {
          connection: DIRECTORY_CONNECTION,
          operation: { op: "ad.changes", base: STAFF, classes: ["user"], attributes: ["objectGUID", "sAMAccountName"] },
          watermark: "dirSync",
          sink: { type: "blob", format: "parquet" },
        },
      });
      const first = await pull();
      assert.deepEqual([first.run.rows, first.run.warnings], [PEOPLE, []]);
      assert.equal(named(first.rows, "insert").length, PEOPLE);
      fold(first.rows);
      holds();

      const { store } = directory.ldap;
      store.add(`CN=came,${SALES}`, "user", { sAMAccountName: "came" });
      store.set(personDn(7), { sAMAccountName: "renamed" });
      store.move(personDn(8), `CN=moved,OU=Finance,${STAFF}`);
      directory.leave(9);
      const second = await pull();
      assert.deepEqual([second.run.from, second.run.warnings], [first.run.to, []]);
      assert.deepEqual(named(second.rows, "update").sort(), ["came", "renamed", "user0008"]);
      assert.deepEqual(named(second.rows, "delete"), [null]);
      assert.equal(second.rows.length, 4);
      fold(second.rows);
      holds();

      const quiet = await pull();
      assert.deepEqual([quiet.run.rows, quiet.run.seq, quiet.run.from], [0, null, second.run.to]);
    });

    it("tells everybody anew where the cookie is lost, and why; then goes on with the new one", async () => {
      directory.leave(10);
      directory.ldap.forgetCookies();
      const anew = await pull();
      assert.deepEqual(reasons(anew.run), [["directory.changes_by", "cookieLost"]]);
      assert.equal(named(anew.rows, "present").length, there().length);
      fold(anew.rows);
      holds();
      directory.leave(11);
      const next = await pull();
      assert.deepEqual([next.run.warnings, next.rows.map(([op]) => op)], [[], ["delete"]]);
      fold(next.rows);
      holds();
    });
  });

  describe("a request that changes one object", () => {
    const write = async (wish: object): Promise<RequestView> => {
      const view = await stack.api.post<RequestView>(`${AT}/requests`, {
        connection: DIRECTORY_CONNECTION,
        operation: { op: "ad.write", class: "user", ...wish },
      });
      // What it took of the day is known once its session has ended, which is after its answer.
      while (lines("request").length > lines("end").length) await pause(20);
      return view;
    };
    const lines = (event: string) => readJournal(stack.agent.stateDir).filter((line) => line.event === event);
    const told = ({ state, error }: RequestView): unknown => error?.code ?? state;
    const dn = `CN=Ny Person,${SALES}`;
    const add = {
      ...{ action: "add", object: dn, password: PASSWORD },
      attributes: { sAMAccountName: ["ny"], department: ["Sales"], userAccountControl: ["512"] },
    };

    it("adds an account once, with its password; dry it sends nothing, and again it changes nothing", async () => {
      const dry = await write({ ...add, dryRun: true });
      assert.deepEqual([told(dry), count(dn)], ["succeeded", 0]);
      const added = await write(add);
      assert.equal(told(added), "succeeded", JSON.stringify(added));
      const value = (name: string) => directory.ldap.store.find(dn)?.attributes.get(name)?.values[0];
      assert.equal(value("department")?.toString(), "Sales");
      assert.equal(value("unicodepwd")?.toString("utf16le"), `"${PASSWORD}"`);
      assert.deepEqual([told(await write(add)), count(dn)], ["succeeded", 1]);
      const requests = lines("request").filter(({ op }) => op === "ad.write");
      assert.deepEqual(
        requests.map(({ action, rowsReserved, request }) => [
          action,
          rowsReserved,
          lines("end").find((line) => line.request === request)?.rowsIn,
        ]),
        [
          ["add", 1, 0],
          ["add", 1, 1],
          ["add", 1, 0],
        ],
      );
      assert.ok(!JSON.stringify(readJournal(stack.agent.stateDir)).includes(PASSWORD));
    });

    it("dry tells which attributes the login may not write; then the directory's refusal names the right", async () => {
      directory.ldap.emulated.rights = () => ({ attributes: ["department"] });
      const changes = ["department", "userAccountControl"].map((attribute) => ({
        ...{ attribute, do: "set", values: [attribute === "department" ? "Support" : "514"] },
      }));
      const wish = { action: "modify", object: dn, changes };
      const dry = await write({ ...wish, dryRun: true });
      const { mayNotWrite, mayNotCreate } = dry.result as Record<string, unknown>;
      assert.deepEqual([told(dry), mayNotWrite, mayNotCreate], ["succeeded", ["userAccountControl"], []]);
      const refused = await write(wish);
      assert.equal(told(refused), "directory.permission");
      assert.match(JSON.stringify(refused.error), /: Write property, of each attribute\./);
      directory.ldap.emulated.rights = undefined;
    });

    it("is refused what rules the domain, and what no rule can allow, with nothing at the server", async () => {
      const marked = `CN=marked,${SALES}`;
      directory.ldap.store.add(marked, "user", { sAMAccountName: "marked", adminCount: "1" });
      const change = (attribute: string) => ({
        ...{ action: "modify", object: marked },
        changes: [{ attribute, do: "set", values: ["x"] }],
      });
      const before = count(dn);
      assert.equal(told(await write(change("department"))), "policy.denied");
      assert.equal(told(await write({ ...change("servicePrincipalName"), object: dn })), "policy.denied");
      assert.deepEqual([count(marked), count(dn)], [0, before]);
    });

    it("is refused where the rule's day of passwords or of deletions is used up, before the server is asked", async () => {
      const set = (index: number) => write({ action: "setPassword", object: personDn(index), password: PASSWORD });
      const away = (index: number) => write({ action: "delete", object: personDn(index) });
      assert.equal(told(await write({ action: "delete", object: `CN=nobody,${SALES}` })), "directory.not_found");
      assert.deepEqual([told(await set(20)), told(await away(21))], ["succeeded", "succeeded"]);
      const searches = directory.ldap.log.length;
      assert.deepEqual([told(await set(22)), told(await away(23))], ["limit.rows", "limit.rows"]);
      assert.equal(directory.ldap.log.length, searches);
      assert.deepEqual(
        [20, 21, 22, 23].map((index) => count(personDn(index))),
        [1, 1, 0, 0],
      );
    });
  });
});
