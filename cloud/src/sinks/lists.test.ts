/** Columns of lists, as a directory has them, in every kind of file; read by others where there is one. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: only this test reads Parquet as a stranger would; `test` declares it.
import { DuckDBInstance } from "@duckdb/node-api";
import { drainBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { checkBatch } from "@sallyport/shared/rows/check.ts";
import { createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column, ItemType } from "@sallyport/shared/rows/types.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { openSinks } from "./open.ts";

const listOf = (name: string, of: ItemType): Column => ({
  ...{ name, type: { kind: "list", of }, nullable: true, source: "2.5.5.12[]" },
});
const COLUMNS: readonly Column[] = [
  { name: "id", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "2.5.5.9" },
  listOf("mails", { kind: "utf8" }),
  listOf("photos", { kind: "binary" }),
  listOf("numbers", { kind: "int", bits: 64, signed: true }),
  listOf("times", { kind: "timestamp", unit: "us" }),
];
const LIMITS = { cellBytes: 2 ** 20, rowBytes: 2 ** 21, batchBytes: 2 ** 24 };

const azurite = await testAzurite();
const container = azurite.blobService.getContainerClient("lists");
await container.create();
const folder = await mkdtemp(join(tmpdir(), "sallyport-lists-"));
after(() => rm(folder, { recursive: true, force: true }));
const sinks = openSinks({ container, blockBytes: 64 * 1024, random: randomBytes });

const LONG = "ø".repeat(20_000);

function addRow(batch: RowBatch, id: number, mails: readonly string[] | null, numbers: readonly bigint[] | null): void {
  const [ids, texts, photos, longs, times] = batch.columns;
  ids!.appendInt(id);
  if (mails === null) texts!.appendNull();
  else {
    for (const mail of mails) texts!.items!.appendString(mail);
    texts!.appendList();
  }
  if (numbers === null) for (const column of [photos, longs, times]) column!.appendNull();
  else {
    for (const number of numbers) {
      photos!.items!.appendBytes(Buffer.from([Number(number & 0xffn)]), 0, 1);
      longs!.items!.appendInt64(Number(number & 0xffff_ffffn), Number(BigInt.asIntN(32, number >> 32n)));
      times!.items!.appendTimestamp(Number(number & 0xffn), 10);
    }
    for (const column of [photos, longs, times]) column!.appendList();
  }
  batch.rowDone();
}

/** Three special rows, then ordinary ones, whose lists have 0 to 4 items. */
function fill(batch: RowBatch, ordinary: number): void {
  addRow(batch, 0, null, null);
  addRow(batch, 1, [], []);
  addRow(batch, 2, ["", LONG, 'say "a"'], [2n ** 63n - 1n, -1n]);
  for (let id = 3; id < 3 + ordinary; id++) {
    const items = Array.from({ length: id % 5 }, (_, index) => `m${id}.${index}`);
    addRow(
      batch,
      id,
      items,
      items.map((_, index) => BigInt(id * 10 + index)),
    );
  }
}

async function written(format: "parquet" | "ndjson"): Promise<Buffer> {
  const part = await sinks[format].open(`${format}/part`);
  await part.schema({ bytes: encodeSchema(COLUMNS), columns: COLUMNS });
  for (let group = 0; group < 2; group++) {
    const batch = createBatch(COLUMNS, LIMITS);
    fill(batch, 1000);
    for (const { message, rows } of drainBatch(batch)) {
      const checked = checkBatch(message, COLUMNS, LIMITS);
      await part.batch({
        bytes: message,
        rows,
        decompressedBytes: checked.decompressedBytes,
        columns: checked.columns,
      });
    }
    await part.checkpoint();
  }
  const file = await part.commit();
  assert.equal(file.rows, 2 * 1003);
  return container.getBlobClient(file.path).downloadToBuffer();
}

test("a Parquet part holds lists, empty ones and none told apart, as a stranger reads it", async () => {
  const path = join(folder, "lists.parquet");
  await writeFile(path, await written("parquet"));
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const ask = async (sql: string) =>
    (await connection.runAndReadAll(sql.replace("FILE", `'${path}'`))).getRowObjectsJson();
  try {
    const [types] = await ask(
      "SELECT typeof(mails) m, typeof(photos) p, typeof(numbers) n, typeof(times) t FROM FILE LIMIT 1",
    );
    assert.deepEqual(types, { m: "VARCHAR[]", p: "BLOB[]", n: "BIGINT[]", t: "TIMESTAMP[]" });
    const special = await ask(
      "SELECT id, mails IS NULL AS missing, len(mails) AS n, [len(m) FOR m IN mails] AS lengths, numbers::VARCHAR AS longs FROM FILE WHERE id < 3 ORDER BY id",
    );
    const [first, , second, , third] = special;
    assert.deepEqual(first, { id: 0, missing: true, n: null, lengths: null, longs: null });
    assert.deepEqual(second, { id: 1, missing: false, n: "0", lengths: [], longs: "[]" });
    assert.deepEqual(third, {
      ...{ id: 2, missing: false, n: "3", lengths: ["0", "20000", "7"], longs: "[9223372036854775807, -1]" },
    });
    const [all] = await ask(
      "SELECT count(*) c, sum(len(mails)) m, sum(len(photos)) p, bool_and(id < 3 OR mails[1] IS NULL OR mails[1] = 'm' || id || '.0') ok FROM FILE",
    );
    assert.deepEqual(all, { c: "2006", m: "4006", p: "4004", ok: true });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});

test("lines of JSON hold lists as arrays, also one that is too long to be one string", async () => {
  const lines = (await written("ndjson")).toString().trimEnd().split("\n");
  assert.equal(lines.length, 2006);
  const rows = lines.map(
    (line) => JSON.parse(line) as { id: number; mails: string[] | null; numbers: string[]; times: string[] },
  );
  assert.deepEqual(rows.slice(0, 3), [
    { id: 0, mails: null, photos: null, numbers: null, times: null },
    { id: 1, mails: [], photos: [], numbers: [], times: [] },
    {
      ...{ id: 2, mails: ["", LONG, 'say "a"'], photos: ["/w==", "/w=="], numbers: ["9223372036854775807", "-1"] },
      times: ["1970-09-13T00:00:00.0000010", "1970-09-13T00:00:00.0000010"],
    },
  ]);
  assert.deepEqual(rows[6]?.mails, ["m6.0"]);
});
