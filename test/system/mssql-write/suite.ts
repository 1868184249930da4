/** `sql.write` struck at random: wholly in or wholly out, never twice with a key, `write.outcome_unknown` without one. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRetryable } from "@sallyport/shared/protocol/errors.ts";
import { drainBatch, type EncodedBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { startSite } from "../../e2e/agent/site.ts";
import { type Answered, column, INT, TEXT } from "../../e2e/agent/writer.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { seeded } from "../crash/random.ts";
import type { Check, Suite, SuiteOptions } from "../suite.ts";
import { drawStrike, type Place, settled, writeOnce } from "./attempt.ts";

const ROWS = 200_000;
const KILLS = 20;
/** A write that is repeated under its key comes through in the end: it is struck only the first time. */
const REPEATS = 5;
const PASSWORD = "Writer-1-of-this-suite";

export const mssqlWrite: Suite = {
  name: "mssql-write",
  about: "200,000 rows written while executor, server or relay connection are killed at random",
  async run(check, options = {}) {
    const tds = await startServer();
    const site = await startSite();
    try {
      const enrolled = await site.enroll(site.orchestrator.code());
      assert.equal(enrolled.code, 0, enrolled.stderr);
      writeFileSync(join(site.state, "sql-ca.pem"), tds.caPem);
      site.setPolicy(policyFor(tds.server.port));
      const agent = await site.start();
      const credential = { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" } as const;
      await strikeAll(check, { site, agent, tds: tds.server, credential, input: rows() }, options);
    } finally {
      await site.close();
      await tds.server.close();
    }
  },
};

/** What the strikes came to, by what was there afterwards. */
interface Seen {
  in: number;
  out: number;
  unknown: number;
}

async function strikeAll(check: Check, place: Place, options: SuiteOptions): Promise<void> {
  const seed = options.seed ?? randomInt(2 ** 31);
  const kills = options.kills ?? KILLS;
  const random = seeded(seed);
  let writeMs = 0;
  await check(`${ROWS} rows undisturbed, twice (seed ${seed})`, async () => {
    // The first one also warms everything up.
    for (let round = 0; round < 2; round++) {
      await place.tds.sql("DELETE FROM dbo.Target");
      const startedMs = performance.now();
      const written = await writeOnce(place, undefined);
      writeMs = performance.now() - startedMs;
      assert.ok(written.ok, JSON.stringify(written));
      assert.equal(await countRows(place), ROWS);
    }
  });
  const seen: Seen = { in: 0, out: 0, unknown: 0 };
  for (let kill = 0; kill < kills; kill++) {
    const strike = drawStrike(random, writeMs);
    const key = kill % 2 === 0 ? `kill-${seed}-${kill}` : undefined;
    const moment = strike.at === "commit" ? "at COMMIT" : `after ${strike.at} ms`;
    await check(`${kill + 1}: ${strike.victim} ${moment}, ${key === undefined ? "no key" : "with a key"}`, async () => {
      await place.tds.sql("DELETE FROM dbo.Target");
      const struck = await writeOnce(place, key, strike);
      const there = await requireWhole(place, struck, seen);
      if (key === undefined) requireTold(struck, there);
      else await requireOnce(place, key, there);
    });
  }
  await check(`struck before and after the commit: ${seen.out} out, ${seen.in} in, ${seen.unknown} unknown`, () => {
    if (kills >= KILLS) assert.ok(seen.in > 0 && seen.out > 0 && seen.unknown > 0);
  });
}

async function countRows(place: Place): Promise<number> {
  await settled(place);
  return Number((await place.tds.sql("SELECT COUNT(*) AS n FROM dbo.Target")).rows[0]?.n);
}

/** All rows or none; all where the write says that it was done. Answers how many. */
async function requireWhole(place: Place, struck: Answered, seen: Seen): Promise<number> {
  const there = await countRows(place);
  assert.ok(there === 0 || there === ROWS, `${there} rows`);
  seen[there === 0 ? "out" : "in"] += 1;
  if (!struck.ok && struck.code === "write.outcome_unknown") seen.unknown += 1;
  if (struck.ok) assert.equal(there, ROWS);
  return there;
}

/** Without a key: whatever is said but success and `write.outcome_unknown` is said only where nothing was written. */
function requireTold(struck: Answered, there: number): void {
  if (struck.ok) return;
  if (there === ROWS) assert.equal(struck.code, "write.outcome_unknown");
  if (struck.code === "write.outcome_unknown") assert.equal(isRetryable(struck.code), false);
}

/** With a key: repeated until it answers, it is there once, and the answer is the first one's. */
async function requireOnce(place: Place, key: string, there: number): Promise<void> {
  const refused: string[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const again = await writeOnce(place, key);
    if (!again.ok) {
      refused.push(`${again.code}: ${again.message}`);
      continue;
    }
    assert.deepEqual([await countRows(place), again.result?.inserted], [ROWS, ROWS]);
    assert.equal(again.result?.repeated, there === ROWS);
    return;
  }
  assert.fail(`the write did not come through under its key: ${refused.join("; ")}`);
}

async function startServer(): Promise<{ readonly server: Tds; readonly caPem: string }> {
  const authority = await makeAuthority();
  const tables = ["dbo.Target", "dbo.Requests"];
  const server = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: { select: tables, insert: tables, update: tables } }],
    databases: ["ERP"],
  });
  // No key, so that a row that came twice would be there twice.
  await server.sql(`CREATE TABLE dbo.Target (Id int NOT NULL, Name nvarchar(20) NULL);
    CREATE TABLE dbo.Requests (RequestKey nvarchar(128) NOT NULL PRIMARY KEY, Request char(64) NOT NULL,
      At datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Answer nvarchar(max) NULL)`);
  return { server, caPem: authority.caPem };
}

const policyFor = (port: number): string => `v: 1
limits: { sessionsPerMinute: 6000 }
connections:
  erp:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    limits: { sessions: 16, failedLogins: 900/1h }
    rules:
      - { id: target, allow: [insert], tables: [dbo.Target], columns: [Id, Name], requestTable: dbo.Requests }
`;

/** Encoded once: what takes time is to be the write. */
function rows(): Place["input"] {
  const columns = [column("Id", INT), column("Name", TEXT)];
  const schema = encodeSchema(columns);
  const encoded: EncodedBatch[] = [];
  const batch = createBatch(columns, { ...DEFAULT_LIMITS, batchBytes: 2 ** 19 });
  for (let row = 0; row < ROWS; row++) {
    batch.columns[0]!.appendInt(row);
    batch.columns[1]!.appendString(`name ${row}`);
    batch.rowDone();
    if (batch.full) encoded.push(...drainBatch(batch));
  }
  encoded.push(...drainBatch(batch));
  return () => ({ schema, batches: encoded });
}
