/** Pulls of a directory from end to end: LDAP emulator → agent → relay → orchestrator → blobs, read by DuckDB and as JSON. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { manifest } from "@sallyport/shared/schema/pull.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { readJournal } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { DIRECTORY_CONNECTION, personDn, type SampleDirectory, STAFF, startDirectory } from "../../stack/directory.ts";
import { type FetchedRun, fetchRun, runPull } from "../../stack/pull.ts";
import { SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";

const PEOPLE = 6_500;
const ATTRIBUTES = [
  "objectGUID",
  "sAMAccountName",
  "department",
  "manager",
  "proxyAddresses",
  "userAccountControl",
  "whenCreated",
];

describe("a pull of a directory, end to end", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-directory-"));
  let stack: Stack;
  let directory: SampleDirectory;

  const definePull = (id: string, format: "parquet" | "ndjson" | "arrow", operation: object) =>
    stack.api.post(`/tenants/${TENANT}/pulls`, {
      id,
      definition: {
        connection: DIRECTORY_CONNECTION,
        operation: { op: "ad.search", base: STAFF, classes: ["user"], attributes: ATTRIBUTES, ...operation },
        sink: { type: "blob", format },
      },
    });
  const run = async (pull: string): Promise<FetchedRun> => {
    const ended = await runPull(stack.api, TENANT, pull);
    assert.equal(ended.run.state, "published", JSON.stringify(ended.run.error));
    return fetchRun(stack.api, TENANT, ended, join(folder, "out"));
  };
  const ask = async ({ parts }: FetchedRun, columns: string, rest = ""): Promise<unknown[]> => {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    try {
      const files = parts.map((part) => `'${part}'`).join(", ");
      return (await connection.runAndReadAll(`SELECT ${columns} FROM read_parquet([${files}]) ${rest}`)).getRowsJson();
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  };

  before(async () => {
    const authority = await makeAuthority();
    const tls = await authority.issue({ names: ["localhost"] });
    const caFile = join(folder, "directory-ca.pem");
    writeFileSync(caFile, authority.caPem);
    directory = cleanup.add(await startDirectory(tls, caFile, PEOPLE), (it) => it.close());
    stack = await startStack({ folder, cleanup, policy: () => `v: 1\nconnections:\n${directory.entry}` });
    const connections = `/tenants/${TENANT}/connections`;
    await stack.api.post(connections, { id: DIRECTORY_CONNECTION, site: SITE, kind: "activeDirectory" });
    const { user, password } = directory.credential;
    await stack.api.put(`${connections}/${DIRECTORY_CONNECTION}/credential`, { user, password });
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("every person is in the Parquet parts, GUIDs, lists and times as DuckDB has them", async () => {
    await definePull("staff", "parquet", {});
    const people = await run("staff");
    assert.equal(people.run.rows, PEOPLE + 1);
    assert.deepEqual(manifest.parse(JSON.parse(readFileSync(people.manifest!, "utf8"))).key, ["objectGUID"]);
    const [counts] = await ask(
      people,
      `count(DISTINCT "objectGUID"), typeof(any_value("objectGUID")), count("manager"), sum(len("proxyAddresses")), count(*) FILTER ("userAccountControl" & 2 = 2)`,
    );
    assert.deepEqual(counts, [String(PEOPLE + 1), "UUID", String(PEOPLE - 1), String(PEOPLE * 2), String(PEOPLE / 50)]);
    const [kari] = await ask(
      people,
      `"manager", "proxyAddresses", "department"`,
      `WHERE "sAMAccountName" = 'user0010'`,
    );
    assert.deepEqual(kari, [personDn(9), ["SMTP:user0010@corp.example", "smtp:kari.10@corp.example"], "Development"]);
  });

  it("groups come with all of their members, which the directory gives in pieces", async () => {
    const classes = ["group"];
    await definePull("groups", "ndjson", { classes, attributes: ["sAMAccountName", "member"] });
    const groups = await run("groups");
    const lines = groups.parts.flatMap((part) => readFileSync(part, "utf8").trimEnd().split("\n"));
    const rows = lines.map((line) => JSON.parse(line) as { member: string[] });
    assert.deepEqual(
      rows.map(({ member }) => member.length),
      [PEOPLE / 4, PEOPLE / 4, PEOPLE / 4, PEOPLE / 4],
    );
    assert.equal(new Set(rows.flatMap(({ member }) => member)).size, PEOPLE);
  });

  it("a filter leaves out the rest, and the next run sees who left", async () => {
    const filter = { attribute: "department", is: "equal", value: "Sales" };
    await definePull("sales", "arrow", { filter });
    assert.equal((await run("sales")).run.rows, PEOPLE / 4);
    directory.leave(4);
    assert.equal((await run("sales")).run.rows, PEOPLE / 4 - 1);
  });

  it("what the rule does not list is refused", async () => {
    await definePull("secrets", "parquet", { attributes: ["unicodePwd"] });
    const ended = await runPull(stack.api, TENANT, "secrets");
    assert.deepEqual([ended.run.state, ended.run.error?.code], ["failed", "policy.denied"]);
  });

  it("a wrong password is told as such, and stopped before it locks the account", async () => {
    const path = `/tenants/${TENANT}/connections/${DIRECTORY_CONNECTION}/credential`;
    const { credential } = directory;
    const tries = () => directory.ldap.log.filter(({ event }) => event === "bind").length;
    await stack.api.put(path, { ...credential, password: "wrong" });
    const before = tries();
    const codes: unknown[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1)
      codes.push((await runPull(stack.api, TENANT, "sales")).run.error?.code);
    assert.deepEqual(codes, ["connection.login_failed", "connection.login_failed", "limit.logins", "limit.logins"]);
    assert.equal(tries() - before, 2);
  });

  it("the journal has every session with its place, and nothing on the disk has the password", () => {
    const lines = readJournal(stack.agent.stateDir);
    const requests = lines.filter(({ event }) => event === "request");
    assert.ok(requests.length >= 8);
    assert.ok(requests.every(({ op, object }) => op === "ad.search" && object === STAFF));
    const failed = lines.find(({ event, code }) => event === "end" && code === "connection.login_failed");
    assert.equal(failed?.source, "49/52e");
    const { stateDir } = stack.agent;
    for (const file of readdirSync(stateDir, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const text = readFileSync(join(file.parentPath, file.name), "latin1");
      assert.ok(!text.includes(directory.credential.password), file.name);
      assert.ok(!/user0\d{3}/.test(text), `${file.name} names a person`);
    }
  });
});
