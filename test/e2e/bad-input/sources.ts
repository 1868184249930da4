/** Reads that the owner's policy, the source or the values themselves do not allow. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { runPull } from "../../stack/pull.ts";
import { CONNECTION, READER, SITE, type Stack, TENANT } from "../../stack/start.ts";
import type { Door } from "./door.ts";
import { assertDenied, assertError, assertFailed, assertNothingVisible, assertTried, linesOf } from "./refusals.ts";
import { CLAIMS, GUESSED, LATE_ROWS } from "./sample.ts";

interface Read {
  readonly connection?: string;
  readonly table?: string;
  /** Instead of a table. */
  readonly statement?: string;
  readonly columns?: "*" | readonly string[];
  readonly watermark?: "none" | "rowversion";
}

export function badSources(stack: () => Stack, door: () => Door): void {
  let pulls = 0;
  const definePull = async ({ connection = CONNECTION, table = "dbo.Small", columns = "*", ...more }: Read) => {
    const { watermark, statement } = more;
    const id = `bad-${++pulls}`;
    const operation =
      statement === undefined ? { op: "sql.table", table, columns } : { op: "sql.query", statement, parameters: {} };
    const definition = { connection, operation, ...(watermark === undefined ? {} : { watermark }) };
    await stack().api.post(`/tenants/${TENANT}/pulls`, { id, definition });
    return id;
  };
  const runOnce = async (read: Read, onPoll?: (run: RunView) => void): Promise<RunView> =>
    (await runPull(stack().api, TENANT, await definePull(read), onPoll)).run;
  /** What a run did at the door: how often SQL Server was called. */
  const counting = async <T>(work: () => Promise<T>): Promise<{ result: T; came: number }> => {
    const before = door().came;
    const result = await work();
    return { result, came: door().came - before };
  };
  const addConnection = async (id: string, credential?: { user: string; password: string }) => {
    await stack().api.post(`/tenants/${TENANT}/connections`, { id, site: SITE, kind: "mssql" });
    const path = `/tenants/${TENANT}/connections/${id}/credential`;
    if (credential) await stack().api.put(path, credential);
  };
  const reader = () => ({ user: READER, password: stack().sqlServer.readerPassword });

  const denied: Record<string, Read & { rule?: string }> = {
    "a table that no rule names": { table: "dbo.Secret" },
    "a table that a rule denies": { table: "hr.Salaries", rule: "never-hr" },
    "a system's table": { table: "sys.objects" },
    "a column outside the rule's": { table: "dbo.People", columns: ["Id", "Iban"] },
    "a statement that the policy does not name": { statement: "everything" },
    "every column, where the rule has a list": { table: "dbo.People", columns: "*" },
  };
  for (const [name, { rule, ...read }] of Object.entries(denied)) {
    it(`${name} is denied, and SQL Server is not called`, async () => {
      const { result: run, came } = await counting(() => runOnce(read));
      await assertFailed(stack(), run, "policy.denied", /rule|never readable|ever allowed/i);
      await assertDenied(stack(), run, "policy.denied", rule);
      assert.equal(came, 0);
    });
  }

  it("a login that the policy does not list is denied, and not written down", async () => {
    const { user, password } = stack().sqlServer.server;
    await addConnection("guarded", { user, password });
    const { result: run, came } = await counting(() => runOnce({ connection: "guarded" }));
    await assertFailed(stack(), run, "policy.denied", /login/);
    await assertDenied(stack(), run, "policy.denied");
    assert.equal(came, 0);
    const journal = readFileSync(join(stack().agent.stateDir, "journal", "journal.jsonl"), "utf8");
    assert.ok(!journal.includes(password) && !journal.includes(`"${user}"`));
  });

  it("a connection that the policy does not have is refused", async () => {
    await addConnection("unheard-of", reader());
    const run = await runOnce({ connection: "unheard-of" });
    await assertFailed(stack(), run, "connection.unknown", /unheard-of/);
    await assertDenied(stack(), run, "connection.unknown");
  });

  it("a wrong password is tried once in a run, and after three runs not at all", async () => {
    await addConnection("payroll", { user: GUESSED, password: "not-the-password" });
    const pull = await definePull({ connection: "payroll" });
    const runAgain = () => counting(async () => (await runPull(stack().api, TENANT, pull)).run);
    for (let tries = 1; tries <= 3; tries++) {
      const { result: run, came } = await runAgain();
      await assertFailed(stack(), run, "connection.login_failed", /refused the login/);
      await assertTried(stack(), run, ["connection.login_failed"]);
      assert.equal((await linesOf(stack(), run))[1]?.source?.toString().split("/")[0], "18456");
      assert.equal(came, 1);
    }
    // Another one comes too late: whether it is right is not tried out either.
    const other = { ...reader(), user: GUESSED };
    await stack().api.put(`/tenants/${TENANT}/connections/payroll/credential`, other);
    const { result: run, came } = await runAgain();
    await assertFailed(stack(), run, "limit.logins", /failed logins/);
    await assertDenied(stack(), run, "limit.logins", "payroll-tables");
    assert.equal(came, 0);
  });

  const unreadable: Record<string, Read & { code: ErrorCode; says: RegExp }> = {
    "a table that does not exist": { table: "dbo.Gone", code: "sql.not_found", says: /dbo\.Gone/ },
    "a column that does not exist": { columns: ["Id", "Colour"], code: "sql.not_found", says: /Colour/ },
    "changes of a table without a key": {
      table: "dbo.Heap",
      watermark: "rowversion",
      code: "sql.no_key",
      says: /dbo\.Heap has no key/,
    },
    "changes of a table without a rowversion": { watermark: "rowversion", code: "request.invalid", says: /rowversion/ },
    "a time before those that can be carried exactly": { table: "dbo.Early", code: "value.not_exact", says: /Since/ },
    "a server whose certificate is not trusted": {
      connection: "foreign",
      code: "connection.tls",
      says: /No trusted TLS connection/,
    },
  };
  for (const [name, { code, says, ...read }] of Object.entries(unreadable)) {
    it(`${name} fails with ${code}`, async () => {
      if (read.connection !== undefined) await addConnection(read.connection, reader());
      const run = await runOnce(read);
      await assertFailed(stack(), run, code, says);
      await assertTried(stack(), run, [code]);
    });
  }

  it("one value that cannot be carried exactly keeps back all rows, also those sent before it", async () => {
    const sentBefore = stack().relay.stats().bytesToSender;
    const run = await runOnce({ table: "dbo.Late" });
    await assertFailed(stack(), run, "value.not_exact", /Until/);
    assert.doesNotMatch(run.error?.message ?? "", /9999/);
    assert.equal(run.error?.facts.column, "Until");
    await assertTried(stack(), run, ["value.not_exact"]);
    const [, end] = await linesOf(stack(), run);
    assert.ok(Number(end?.rowsOut) > 0 && Number(end?.rowsOut) < LATE_ROWS, `${end?.rowsOut} rows went out`);
    assert.ok(stack().relay.stats().bytesToSender - sentBefore > 100_000);
  });

  it("a site without an agent keeps the run waiting, with what to do, until it is cancelled", async () => {
    await stack().api.post(`/tenants/${TENANT}/sites`, { id: "bergen", name: "Bergen" });
    await stack().api.post(`/tenants/${TENANT}/connections`, { id: "far", site: "bergen", kind: "mssql" });
    let cancelling: Promise<unknown> | undefined;
    const run = await runOnce({ connection: "far" }, (now) => {
      if (now.state !== "waiting" || cancelling) return;
      assertError(now, "agent.offline", /bergen/);
      cancelling = stack().api.post(`/tenants/${TENANT}/runs/${now.id}/cancel`, {});
    });
    assert.deepEqual(await cancelling, { answer: "cancelled" });
    assert.equal(run.state, "cancelled");
    await assertNothingVisible(stack(), run);
    assert.deepEqual(await linesOf(stack(), run), []);
  });

  it("a server that is away keeps the run waiting, and when it is back the run completes", async () => {
    await door().shut();
    let opening: Promise<void> | undefined;
    const run = await runOnce({}, (now) => {
      if (now.state !== "waiting" || opening) return;
      assertError(now, "connection.unreachable", /does not answer/);
      opening = door().open();
    });
    await opening;
    assert.ok(opening, "the run waited");
    assert.deepEqual([run.state, run.error, run.rows], ["published", null, 3]);
    const ends = (await linesOf(stack(), run)).filter(({ event }) => event === "end");
    assert.deepEqual([ends[0]?.code, ends.at(-1)?.code], ["connection.unreachable", undefined]);
  });

  it("a server that stays away fails the run when its tries are spent", async () => {
    await addConnection("direct", reader());
    await stack().sqlServer.close();
    let waited = false;
    const run = await runOnce({ connection: "direct" }, (now) => {
      waited ||= now.state === "waiting" && now.error?.code === "connection.unreachable";
    });
    assert.ok(waited, "the run waited between its tries");
    await assertFailed(stack(), run, "connection.unreachable", /does not answer/);
    await assertTried(
      stack(),
      run,
      Array.from({ length: CLAIMS }, () => "connection.unreachable" as const),
    );
  });
}
