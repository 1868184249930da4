import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ServiceBusClient } from "@azure/service-bus";
import { BlobServiceClient } from "@azure/storage-blob";
import { newRun } from "@sallyport/cloud/src/pulls/run.ts";
import { openStore } from "@sallyport/cloud/src/store/open.ts";
import {
  type Cursor,
  insertCursor,
  insertOut,
  insertRun,
  insertSlice,
  type Run,
  removeRow,
  replaceCursor,
  replaceRun,
  type Slice,
} from "@sallyport/cloud/src/store/runs.ts";
import { commit } from "@sallyport/cloud/src/store/tables.ts";
import { startAzurite } from "../../emulators/azurite/start.ts";
import { startServiceBus } from "../../emulators/servicebus/start.ts";
import { prepareStorage, QUEUE_CONFIG, tableClient } from "../../stack/app.ts";
import { createGate, type Gate } from "./gate.ts";
import { openAmqpProxy } from "./proxies/amqp.ts";
import { openHttpProxy } from "./proxies/http.ts";
import { blobRequest, createTableReader, type Seen, type Step } from "./seen.ts";

const KEY = { tenant: "acme", pull: "orders" };
const PARTITION = "acme|orders";
const RUN = "8204567890123-0123abcd";
const HASH = Buffer.alloc(32).toString("base64url");

/** A gate that lets everything pass and remembers it. */
function watch(): { gate: Gate; seen: Seen[] } {
  const inner = createGate();
  const seen: Seen[] = [];
  const before = (each: Seen) => {
    seen.push(each);
    return inner.before(each);
  };
  return { gate: { ...inner, before }, seen };
}

describe("what the proxies see of the product's own requests", async () => {
  const folder = await mkdtemp(join(tmpdir(), "crash-seen-"));
  const azurite = await startAzurite({ folder });
  const { gate, seen } = watch();
  await prepareStorage(azurite.connectionString);
  const tables = await openHttpProxy(azurite.tableUrl, createTableReader(), gate);
  const blobs = await openHttpProxy(azurite.blobUrl, blobRequest, gate);
  const at = (url: string, port: number) => url.replace(/:\d+\//, `:${port}/`);
  const connection = azurite.connectionString
    .replace(azurite.tableUrl, at(azurite.tableUrl, tables.port))
    .replace(azurite.blobUrl, at(azurite.blobUrl, blobs.port));
  const store = openStore((name) => tableClient(connection, name), randomBytes);
  after(async () => {
    await Promise.all([tables.close(), blobs.close()]);
    await azurite.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** What `act` is seen as. */
  async function seenOf(act: () => Promise<unknown>): Promise<Step[]> {
    const from = seen.length;
    await act();
    return seen.slice(from).map(({ step }) => step);
  }

  const cursor: Cursor = {
    ...{ epoch: 1, seq: 0, published: 0, oldest: 0, replaces: false, watermark: null },
    ...{ activeRun: null, nextFence: 1, nextDue: null, freshAt: null, freshness: null, removed: null },
  };
  const fresh = newRun({
    ...{ kind: "manual", epoch: 1, opId: "a", now: "2026-01-01T00:00:00Z" },
    ...{ deadline: "2026-01-02T00:00:00Z", leaseSeconds: 3 },
  });
  let [runTag, cursorTag] = ["", ""];
  const write = async (changes: Parameters<typeof commit>[2]): Promise<void> => {
    const done = await commit(store.runs.table, PARTITION, changes);
    assert.ok(done.ok);
    for (const [index, change] of changes.entries()) {
      if (change.do === "remove") continue;
      if (change.row === "cursor") cursorTag = done.etags[index] ?? "";
      if (change.row === `run|${RUN}`) runTag = done.etags[index] ?? "";
    }
  };
  const running: Run = { ...fresh, state: "running", fence: 7, holder: "h" };
  const plan = { to: "1", key: ["Id"], isolation: "readCommitted", consistency: "fuzzy" };
  const planned = { ...running, plan } as Run;
  const slice: Slice = {
    ...{ fence: 7, list: "l", sha256: HASH, rows: 1, bytes: 1, from: null, to: null, schema: HASH, policy: HASH },
  };
  const put = (run: Run) => replaceRun(RUN, run, runTag);

  it("the writes of a run are its steps, in the order in which they come", async () => {
    const steps: [Step, () => Promise<void>][] = [
      ["other", () => write([insertCursor(cursor)])],
      ["enter", async () => write([insertRun(RUN, fresh), replaceCursor(cursor, cursorTag)])],
      ["claim", async () => write([put(running), replaceCursor(cursor, cursorTag)])],
      ["renewal", async () => write([put({ ...running, opId: "b" })])],
      ["plan", async () => write([put(planned)])],
      ["slice commit", async () => write([put(planned), insertSlice(RUN, 1, slice)])],
      ["complete", async () => write([put({ ...planned, complete: true })])],
      ["hand over", async () => write([put({ ...planned, state: "queued" })])],
      ["wait", async () => write([put({ ...planned, state: "waiting" })])],
      [
        "decide",
        async () =>
          write([
            put({ ...planned, state: "decided" }),
            replaceCursor(cursor, cursorTag),
            insertOut(1, { run: RUN, seq: 1, state: "published" }),
          ]),
      ],
      [
        "tell",
        async () =>
          write([
            put({ ...planned, state: "published" }),
            replaceCursor(cursor, cursorTag),
            removeRow(`out|${"1".padStart(20, "0")}-${RUN}`),
          ]),
      ],
    ];
    for (const [step, act] of steps) assert.deepEqual(await seenOf(act), [step]);
    assert.deepEqual(
      seen.find(({ step }) => step === "plan"),
      { step: "plan", run: RUN, fence: "7" },
    );
  });

  it("reads and wake entries are told apart", async () => {
    assert.deepEqual(await seenOf(() => store.runs.run(KEY, RUN)), ["read"]);
    assert.deepEqual(await seenOf(() => store.wake.insert(KEY, 1000)), ["wake entry"]);
    const entries = await store.wake.due(2000, 10);
    assert.equal(seen.at(-1)?.step, "wake list");
    assert.deepEqual(await seenOf(() => store.wake.remove(entries[0]!)), ["wake entry taken"]);
  });

  it("blobs are known by their names", async () => {
    const container = BlobServiceClient.fromConnectionString(connection).getContainerClient("sallyport");
    const folder = `acme/orders/data/${RUN}/000001-f7-s1`;
    const part = container.getBlockBlobClient(`${folder}/part-00001.parquet`);
    assert.deepEqual(await seenOf(() => part.stageBlock("AAAA", "x", 1)), ["block"]);
    assert.deepEqual(await seenOf(() => part.commitBlockList(["AAAA"])), ["block list"]);
    const list = container.getBlockBlobClient(`${folder}/slice.json`);
    assert.deepEqual(await seenOf(() => list.upload("{}", 2)), ["slice list"]);
    assert.deepEqual(new Set(await seenOf(() => list.downloadToBuffer())), new Set(["list read"]));
    const manifest = container.getBlockBlobClient(`acme/orders/manifests/${"1".padStart(20, "0")}.json`);
    assert.deepEqual(await seenOf(() => manifest.upload("{}", 2)), ["manifest"]);
  });

  for (const when of ["before", "after"] as const) {
    it(`a request stopped ${when} it was applied ${when === "before" ? "changes nothing" : "has changed everything"}`, async () => {
      const spring = async () => "drop" as const;
      const sprung = gate.set({ when, matches: ({ step }) => step === "wake entry", spring });
      const stop = new AbortController();
      void sprung.then(() => stop.abort());
      // The SDK would repeat it: whoever sent it is no more.
      const table = store.wake.table;
      const entry = { partitionKey: "w0", rowKey: when };
      const sent = table.submitTransaction([["create", entry]], { abortSignal: stop.signal });
      await assert.rejects(sent);
      const found = await table.getEntity("w0", when).catch(() => undefined);
      assert.equal(found !== undefined, when === "after");
    });
  }
});

describe("the queue behind its proxy", () => {
  it("a bell is seen, can be stopped, and its answer too", async () => {
    const queue = await startServiceBus({ config: QUEUE_CONFIG, keys: [{ name: "app", key: "a2V5" }] });
    const { gate, seen } = watch();
    const proxy = await openAmqpProxy(queue.port, gate);
    const client = new ServiceBusClient(queue.connectionString.replace(`:${queue.port};`, `:${proxy.port};`), {
      retryOptions: { maxRetries: 0, timeoutInMs: 2000 },
    });
    try {
      const sender = client.createSender("slices");
      const receiver = client.createReceiver("slices");
      await sender.sendMessages({ body: "one" });
      const [message] = await receiver.receiveMessages(1);
      await receiver.completeMessage(message!);
      const steps = seen.map(({ step }) => step).filter((step) => step !== "queue");
      assert.deepEqual(steps, ["ring", "bell answered"]);
      const sprung = gate.set({
        when: "before",
        matches: ({ step }) => step === "ring",
        spring: async () => "drop",
      });
      const sent = sender.sendMessages({ body: "two" }).catch(() => "failed");
      assert.deepEqual(await sprung, { step: "ring" });
      assert.equal(await sent, "failed");
    } finally {
      await client.close();
      await proxy.close();
      await queue.close();
    }
  });
});
