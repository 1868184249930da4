/**
 * The main job from end to end on the embedded stack: SQL Server → agent → relay → orchestrator → blobs, read by DuckDB and
 * apache-arrow and compared with what was put in.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Manifest, manifest, type SinkFormat } from "@sallyport/shared/schema/pull.ts";
import { readJournal, sallyport } from "../stack/agent.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { EXACT_COLUMNS, type ExactColumn, type ExactRow, readExactRows } from "../stack/exact.ts";
import { type FetchedRun, fetchRun, runPull } from "../stack/pull.ts";
import { fillSample, type Sample } from "../stack/sample.ts";
import { CONNECTION, type Stack, startStack, TENANT } from "../stack/start.ts";
import { readArrowRows } from "./arrow-reader.ts";
import { difference, epochNs, openOracle, parseZoned, rowsOf } from "./oracle.ts";

const FLIGHTS = 300_000;
const CHANGED = 1_000;
const FLIGHT_COLUMNS = `"Id", "DepartedAt", "Delay", "Distance", "Origin", "Destination"`;

describe("a pull, end to end", () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-e2e-"));
  let stack: Stack;
  let sample: Sample;
  let oracle: DuckDBConnection;
  const definePull = (id: string, table: string, watermark: "none" | "rowversion", format: SinkFormat) =>
    stack.api.post(`/tenants/${TENANT}/pulls`, {
      id,
      definition: {
        connection: CONNECTION,
        operation: { op: "sql.table", table, columns: "*" },
        watermark,
        sink: { type: "blob", format },
      },
    });
  const run = async (pull: string): Promise<FetchedRun> => {
    const ended = await runPull(stack.api, TENANT, pull);
    assert.equal(ended.run.state, "published", JSON.stringify(ended.run.error));
    return fetchRun(stack.api, TENANT, ended, join(folder, "out"));
  };
  const parquet = ({ parts }: FetchedRun) => `read_parquet([${parts.map((part) => `'${part}'`).join(", ")}])`;

  before(async () => {
    stack = await startStack({ folder, cleanup });
    sample = cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
    oracle = cleanup.add(await openOracle(FLIGHTS), (it) => it.closeSync());
    await definePull("flights", "dbo.Flights", "rowversion", "parquet");
    await definePull("flights-arrow", "dbo.Flights", "none", "arrow");
    await definePull("exact", "dbo.Exact", "none", "parquet");
    await definePull("exact-arrow", "dbo.Exact", "none", "arrow");
    await definePull("exact-ndjson", "dbo.Exact", "none", "ndjson");
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("DuckDB finds every flight in the Parquet parts, as the data set has it", async () => {
    const first = await run("flights");
    assert.equal(first.run.rows, FLIGHTS);
    const ours = `SELECT ${FLIGHT_COLUMNS} FROM ${parquet(first)}`;
    assert.equal(await difference(oracle, ours, `SELECT ${FLIGHT_COLUMNS} FROM flights_oracle`), 0);
    const summary = (from: string) =>
      `SELECT count(*), min("DepartedAt")::VARCHAR, max("DepartedAt")::VARCHAR, sum("Delay")::VARCHAR, sum("Distance")::VARCHAR FROM ${from}`;
    assert.deepEqual(await rowsOf(oracle, summary(parquet(first))), await rowsOf(oracle, summary("flights_oracle")));
    const versions = await rowsOf(oracle, `SELECT count(DISTINCT "Version") FROM ${parquet(first)}`);
    assert.deepEqual(versions, [JSON.stringify([String(FLIGHTS)])]);
    assertManifest(first);
  });

  it("apache-arrow finds the same flights in the Arrow parts, row for row", async () => {
    const whole = await run("flights-arrow");
    const rows = whole.parts.flatMap((part) => readArrowRows(part).rows);
    assert.equal(rows.length, FLIGHTS);
    const expected = await oracle.runAndReadAll(
      `SELECT "Id"::VARCHAR, epoch_ns("DepartedAt")::VARCHAR, "Delay"::VARCHAR, "Distance"::VARCHAR, "Origin", "Destination" FROM flights_oracle ORDER BY "Id"`,
    );
    const lines = (table: readonly (readonly unknown[])[]) => table.map((row) => row.slice(0, 6).join());
    assert.deepEqual(lines(rows), lines(expected.getRows()));
    assertManifest(whole);
  });

  it("the second run picks up just what changed, and a third finds nothing", async () => {
    await sample.change(CHANGED);
    const second = await run("flights");
    assert.equal(second.run.rows, CHANGED);
    const step = FLIGHTS / CHANGED;
    const changed = `SELECT "Id", "DepartedAt", "Delay" + 1, "Distance", "Origin", "Destination" FROM flights_oracle WHERE "Id" % ${step} = 0`;
    assert.equal(await difference(oracle, `SELECT ${FLIGHT_COLUMNS} FROM ${parquet(second)}`, changed), 0);
    const manifestOfSecond = assertManifest(second);
    assert.equal(manifestOfSecond.seq, 2);
    const third = await run("flights");
    assert.deepEqual([third.run.rows, third.manifest, third.parts], [0, null, []]);
  });

  it("DuckDB agrees with every literal of dbo.Exact", async () => {
    const exact = await run("exact");
    const names = Object.keys(EXACT_COLUMNS)
      .map((name) => `"${name}"`)
      .join(", ");
    const [ours, expected] = [`SELECT ${names} FROM ${parquet(exact)}`, `SELECT ${names} FROM exact_oracle`];
    assert.deepEqual(await rowsOf(oracle, `${ours} ORDER BY "Id"`), await rowsOf(oracle, `${expected} ORDER BY "Id"`));
    assert.equal(await difference(oracle, ours, expected), 0);
    const sums = (from: string) =>
      `SELECT sum("Amount" / 10)::VARCHAR, sum("Price")::VARCHAR, min("Moment")::VARCHAR, max("Clock")::VARCHAR FROM (${from}) WHERE "Id" > 2`;
    assert.deepEqual(await rowsOf(oracle, sums(ours)), await rowsOf(oracle, sums(expected)));
  });

  it("apache-arrow agrees with every literal of dbo.Exact", async () => {
    const exact = await run("exact-arrow");
    const { columns, rows } = readArrowRows(exact.parts[0]!);
    assert.deepEqual(columns, Object.keys(EXACT_COLUMNS));
    assert.deepEqual(rows, readExactRows().map(canonicalRow));
  });

  it("the NDJSON part agrees with every literal of dbo.Exact", async () => {
    const exact = await run("exact-ndjson");
    assert.ok(exact.parts[0]?.endsWith(".ndjson"));
    const lines = readFileSync(exact.parts[0]!, "utf8").trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      readExactRows().map(jsonRow),
    );
    assertManifest(exact);
  });

  it("the agent's journal has a line before and one after each session, and its chain holds", async () => {
    const lines = readJournal(stack.agent.stateDir);
    const requests = lines.filter((line) => line.event === "request");
    assert.ok(requests.length >= 6);
    for (const { request } of requests) {
      const ofSession = lines.filter((line) => line.request === request).map((line) => line.event);
      assert.deepEqual(ofSession, ["request", "end"]);
    }
    const verified = await sallyport(["journal", "verify", "--state", stack.agent.stateDir]);
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
  });

  function assertManifest({ run: ended, manifest: file, parts }: FetchedRun): Manifest {
    assert.ok(file);
    const content = manifest.parse(JSON.parse(readFileSync(file, "utf8")));
    assert.deepEqual([content.run, content.rows, content.parts.length], [ended.id, ended.rows, parts.length]);
    assert.equal(
      content.parts.reduce((sum, part) => sum + part.rows, 0),
      ended.rows,
    );
    return content;
  }
});

const decimalDigits = (text: string) => String(BigInt(text.replace(".", "")));
/** What an Arrow buffer must hold for a literal, worked out from its text. */
const CANONICAL: Readonly<Record<string, (text: string) => string>> = {
  "decimal(38,10)": decimalDigits,
  "decimal(38,0)": decimalDigits,
  money: decimalDigits,
  float: (text) => String(Number(text)),
  date: (text) => String(Date.parse(`${text}T00:00:00Z`) / 86_400_000),
  "time(7)": (text) => String(epochNs(`1970-01-01T${text}`)),
  "datetime2(7)": (text) => String(epochNs(text)),
  "datetime2(3)": (text) => String(epochNs(text) / 1000n),
  "datetimeoffset(7)": (text) => {
    const { instantNs, offsetMinutes } = parseZoned(text);
    return `${instantNs}|${offsetMinutes}`;
  },
  uniqueidentifier: (text) => text.replaceAll("-", ""),
};

function canonicalRow(row: ExactRow): (string | null)[] {
  return Object.entries(EXACT_COLUMNS).map(([name, type]) => {
    const text = row[name as ExactColumn];
    return text === null ? null : (CANONICAL[type]?.(text) ?? text);
  });
}

/** What a line of NDJSON must hold for a literal; its own text where nothing is said. */
const JSON_VALUES: Readonly<Record<string, (text: string) => unknown>> = {
  int: Number,
  tinyint: Number,
  float: Number,
  bit: (text) => text === "1",
  "datetime2(3)": (text) => `${text}0000`,
  "varbinary(max)": (text) => Buffer.from(text, "hex").toString("base64"),
};

const jsonRow = (row: ExactRow): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(EXACT_COLUMNS).map(([name, type]) => {
      const text = row[name as ExactColumn];
      return [name, text === null ? null : (JSON_VALUES[type]?.(text) ?? text)];
    }),
  );
