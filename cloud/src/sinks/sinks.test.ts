import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
// biome-ignore lint/correctness/noUndeclaredDependencies: only this test reads Parquet as a stranger would; `test` declares it.
import { DuckDBInstance } from "@duckdb/node-api";
// biome-ignore lint/correctness/noUndeclaredDependencies: an Arrow reader that is not ours; `shared` declares it.
import { CompressionType, compressionRegistry, tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import { testAzurite } from "../store/test-azurite.ts";
import { stageFile } from "./blob.ts";
import { openSinks } from "./open.ts";
import type { Part } from "./sink.ts";
import { EXACT_COLUMNS, EXTREMES, exactBatch, exactSchema, ordinaryRows } from "./test-rows.ts";

const azurite = await testAzurite();
const container = azurite.blobService.getContainerClient("sinks");
await container.create();
const folder = await mkdtemp(join(tmpdir(), "sallyport-sinks-"));
after(() => rm(folder, { recursive: true, force: true }));
const sinks = openSinks({ container, blockBytes: 64 * 1024, random: randomBytes });

/** As apache-arrow wants it; it knows no codec by itself. */
compressionRegistry.set(CompressionType.ZSTD, {
  encode: (data) => zstdCompressSync(data),
  decode: (data) => zstdDecompressSync(data),
});

async function query(file: Buffer, sql: string): Promise<Record<string, unknown>[]> {
  const path = join(folder, `${randomBytes(6).toString("hex")}.parquet`);
  await writeFile(path, file);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(sql.replaceAll("FILE", `'${path}'`));
    return reader.getRowObjectsJS() as Record<string, unknown>[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function fill(part: Part, batches: readonly ReturnType<typeof exactBatch>[], checkpointEvery = 1): Promise<void> {
  await part.schema({ bytes: exactSchema, columns: EXACT_COLUMNS });
  for (const [index, batch] of batches.entries()) {
    await part.batch({ ...batch, bytes: batch.message });
    if ((index + 1) % checkpointEvery === 0) await part.checkpoint();
  }
}

const download = (path: string) => container.getBlobClient(path).downloadToBuffer();

test("a Parquet part holds every value exactly, as a stranger reads it", async () => {
  const part = await sinks.parquet.open("exact/part.parquet");
  await fill(part, [exactBatch(EXTREMES)]);
  const file = await part.commit();
  const bytes = await download(file.path);
  assert.equal(file.rows, 3);
  assert.equal(file.bytes, bytes.length);
  assert.equal(file.sha256, createHash("sha256").update(bytes).digest("base64url"));
  const rows = await query(
    bytes,
    `SELECT Id::VARCHAR id, Amount::VARCHAR amount, typeof(Amount) amountType, epoch_ns("At")::VARCHAR "at", typeof("At") atType,
       Guid::VARCHAR guid, typeof(Guid) guidType, hex(Raw) raw, typeof(Raw) rawType,
       Zoned.offset_minutes::VARCHAR "minutes", Name "name" FROM FILE`,
  );
  const types = { amountType: "DECIMAL(38,10)", atType: "TIMESTAMP_NS", guidType: "UUID", rawType: "BLOB" };
  assert.deepEqual(rows, [
    { id: "1", amount: null, at: null, guid: null, raw: null, minutes: null, name: null, ...types },
    {
      id: "9223372036854775807",
      amount: "9999999999999999999999999999.9999999999",
      at: "9223372036854775800",
      guid: "00112233-4455-6677-8899-aabbccddeeff",
      raw: "",
      minutes: "840",
      name: "",
      ...types,
    },
    {
      id: "-9223372036854775808",
      amount: "-9999999999999999999999999999.9999999999",
      at: "-9223372036854775800",
      guid: "ffffffff-ffff-ffff-ffff-ffffffffffff",
      raw: "0001FEFF",
      minutes: "-840",
      name: "Zoë 𝄞 \u0000 東京",
      ...types,
    },
  ]);
});

test("an instant with an offset keeps its 100 ns", async () => {
  const part = await sinks.parquet.open("zoned/part.parquet");
  await fill(part, [exactBatch(EXTREMES)]);
  const { path } = await part.commit();
  const table = tableFromIPC(readParquet(new Uint8Array(await download(path))).intoIPCStream());
  const zoned = table.getChild("Zoned")!;
  assert.deepEqual(Array.from(zoned.getChild("instant")!.data[0]!.values as BigInt64Array).slice(1), [100n, -100n]);
  assert.equal(String(table.schema.fields[5]!.type), "Struct<{instant:Timestamp<NANOSECOND>, offset_minutes:Int16}>");
});

test("row groups end at checkpoints once they are large, and the joined file is read as one", async () => {
  const part = await sinks.parquet.open("groups/part.parquet");
  const batches = Array.from({ length: 15 }, (_, index) => exactBatch(ordinaryRows(index * 10_000, 10_000)));
  await fill(part, batches, 2);
  const file = await part.commit();
  const bytes = await download(file.path);
  const groups = await query(
    bytes,
    "SELECT row_group_id::INT id, row_group_num_rows::INT n FROM parquet_metadata(FILE) WHERE path_in_schema = 'Id' ORDER BY 1",
  );
  assert.deepEqual(groups, [
    { id: 0, n: 80_000 },
    { id: 1, n: 70_000 },
  ]);
  const [sums] = await query(
    bytes,
    `SELECT count(*)::INT n, sum(Amount)::VARCHAR amount, count(DISTINCT Guid)::INT guids, sum(Id)::VARCHAR ids,
       sum(CASE WHEN Raw IS NULL THEN 0 ELSE octet_length(Raw) END)::VARCHAR raw, max(epoch_ns("At"))::VARCHAR "last" FROM FILE`,
  );
  const all = ordinaryRows(0, 150_000);
  const amount = String(all.reduce((sum, row) => sum + row.amount!, 0n)).padStart(11, "0");
  assert.deepEqual(sums, {
    n: 150_000,
    amount: `${amount.slice(0, -10)}.${amount.slice(-10)}`,
    guids: 150_000,
    ids: String(all.reduce((sum, row) => sum + row.id, 0n)),
    raw: String(all.reduce((sum, row) => sum + (row.raw?.length ?? 0), 0)),
    last: String(all.at(-1)!.at! * 100n),
  });
  const notes = await query(bytes, "SELECT decode(key) k, decode(value) v FROM parquet_kv_metadata(FILE)");
  const sources = notes.find(({ k }) => k === "sallyport.sources")?.v;
  assert.equal(JSON.parse(String(sources)).Amount, "decimal(38,10)");
});

test("a Parquet part without rows is a readable file", async () => {
  const part = await sinks.parquet.open("empty/part.parquet");
  await part.schema({ bytes: exactSchema, columns: EXACT_COLUMNS });
  const file = await part.commit();
  assert.deepEqual(await query(await download(file.path), "SELECT count(*)::INT n FROM FILE"), [{ n: 0 }]);
});

test("an Arrow part is a standard stream of what was passed through", async () => {
  const part = await sinks.arrow.open("exact/part.arrows");
  await fill(part, [exactBatch(EXTREMES), exactBatch(ordinaryRows(10, 5))]);
  const file = await part.commit();
  const bytes = await download(file.path);
  assert.equal(file.sha256, createHash("sha256").update(bytes).digest("base64url"));
  const table = tableFromIPC(bytes);
  assert.equal(table.numRows, 8);
  assert.equal(table.batches.length, 2);
  assert.deepEqual(Array.from(table.getChild("Id")!), [1n, 2n ** 63n - 1n, -(2n ** 63n), 10n, 11n, 12n, 13n, 14n]);
  assert.deepEqual(
    Array.from(table.getChild("Name")!).slice(0, 3),
    EXTREMES.map((row) => row.name),
  );
});

test("an NDJSON part holds every value exactly, one object a line", async () => {
  const part = await sinks.ndjson.open("exact/part.ndjson");
  await fill(part, [exactBatch(EXTREMES), exactBatch(ordinaryRows(10, 5))]);
  const file = await part.commit();
  const bytes = await download(file.path);
  assert.equal(file.rows, 8);
  assert.equal(file.bytes, bytes.length);
  assert.equal(file.sha256, createHash("sha256").update(bytes).digest("base64url"));
  const lines = bytes.toString().split("\n");
  assert.equal(lines.length, 9);
  assert.equal(lines.pop(), "");
  assert.equal(lines[0], '{"Id":"1","Amount":null,"At":null,"Guid":null,"Raw":null,"Zoned":null,"Name":null}');
  assert.deepEqual(
    lines.slice(1, 3).map((line) => JSON.parse(line)),
    [
      {
        Id: "9223372036854775807",
        Amount: "9999999999999999999999999999.9999999999",
        At: "2262-04-11T23:47:16.8547758",
        Guid: "00112233-4455-6677-8899-aabbccddeeff",
        Raw: "",
        Zoned: "1970-01-01T14:00:00.0000001+14:00",
        Name: "",
      },
      {
        Id: "-9223372036854775808",
        Amount: "-9999999999999999999999999999.9999999999",
        At: "1677-09-21T00:12:43.1452242",
        Guid: "ffffffff-ffff-ffff-ffff-ffffffffffff",
        Raw: "AAH+/w==",
        Zoned: "1969-12-31T09:59:59.9999999-14:00",
        Name: "Zoë 𝄞 \u0000 東京",
      },
    ],
  );
});

test("an NDJSON part of many blocks keeps its lines whole and in order", async () => {
  const part = await sinks.ndjson.open("large/part.ndjson");
  const batches = Array.from({ length: 4 }, (_, index) => exactBatch(ordinaryRows(index * 2000, 2000)));
  await fill(part, batches, 3);
  const { path, rows, bytes } = await part.commit();
  const content = await download(path);
  assert.ok(bytes > 10 * 64 * 1024);
  const ids = content
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => Number((JSON.parse(line) as { Id: string }).Id));
  assert.deepEqual([rows, ids], [8000, Array.from({ length: 8000 }, (_, index) => index)]);
});

test("an NDJSON part without rows is an empty file, and one that was given up is none", async () => {
  const empty = await sinks.ndjson.open("empty/part.ndjson");
  await empty.schema({ bytes: exactSchema, columns: EXACT_COLUMNS });
  const { path, rows } = await empty.commit();
  assert.deepEqual([rows, (await download(path)).length], [0, 0]);
  const givenUp = await sinks.ndjson.open("given-up/part.ndjson");
  await fill(givenUp, [exactBatch(EXTREMES)]);
  await givenUp.abort();
  assert.equal(await container.getBlobClient("given-up/part.ndjson").exists(), false);
});

test("rows that are no Arrow are refused, and the thread is gone", async () => {
  const part = await sinks.parquet.open("bad/part.parquet");
  await part.schema({ bytes: exactSchema, columns: EXACT_COLUMNS });
  const bad = { bytes: Buffer.from("not a batch"), rows: 1, decompressedBytes: 11, columns: [] };
  await assert.rejects(part.batch(bad), { code: "protocol.batch" });
  await part.abort();
  assert.equal(await container.getBlobClient("bad/part.parquet").exists(), false);
});

test("nothing is visible before the commit, the same bytes again are a success, other bytes an alarm", async () => {
  const write = async (content: string) => {
    const file = stageFile(container, "once", 4, randomBytes);
    await file.append(Buffer.from(content));
    assert.equal(file.bytes, content.length);
    return file;
  };
  const first = await write("hello world");
  assert.equal(await container.getBlobClient("once").exists(), false);
  const { sha256, bytes } = await first.commit();
  assert.equal(bytes, 11);
  assert.equal((await (await write("hello world")).commit()).sha256, sha256);
  await assert.rejects((await write("hello there")).commit(), { code: "storage.conflict" });
  assert.equal((await download("once")).toString(), "hello world");
});

test("at most two may write Parquet at a time, and as many as like the rest", async () => {
  const { signal } = new AbortController();
  const [first] = await Promise.all([sinks.parquet.enter(signal), sinks.parquet.enter(signal)]);
  const third = sinks.parquet.enter(signal);
  await assert.rejects(sinks.parquet.enter(AbortSignal.abort()), { code: "request.cancelled" });
  first();
  await third;
  for (const each of [sinks.arrow, sinks.ndjson, sinks.arrow, sinks.ndjson]) await each.enter(AbortSignal.abort());
});
