/**
 * Messages that nobody can answer, through the real trigger in the local Functions host: they end in the dead-letter queue
 * with all they held, the log says why, and the doorbells between them are answered.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { TableClient } from "@azure/data-tables";
import { ServiceBusClient, type ServiceBusReceivedMessage } from "@azure/service-bus";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { runPull } from "../stack/pull.ts";
import { fillSample } from "../stack/sample.ts";
import { CONNECTION, type Stack, startStack, TENANT } from "../stack/start.ts";

const FLIGHTS = 1000;

describe("poison messages", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-poison-"));
  let stack: Stack;
  let bus: ServiceBusClient;
  /** Takes dead letters until those with these ids have come; the run's own later bells may be among them. */
  const deadLetters = async (ids: readonly string[]): Promise<ServiceBusReceivedMessage[]> => {
    const receiver = bus.createReceiver("slices", { subQueueType: "deadLetter", skipParsingBodyAsJson: true });
    const found: ServiceBusReceivedMessage[] = [];
    while (!ids.every((id) => found.some(({ messageId }) => messageId === id))) {
      const got = await Promise.race([receiver.receiveMessages(10, { maxWaitTimeInMs: 60_000 }), stack.broken]);
      for (const message of got) await receiver.completeMessage(message);
      found.push(...got);
    }
    await receiver.close();
    return found;
  };
  const send = (messageId: string, body: unknown) => bus.createSender("slices").sendMessages({ messageId, body });
  /** What the log says of a message: a line for each delivery. */
  const saidOf = (messageId: string): Record<string, unknown>[] =>
    readFileSync(join(folder, "logs/function-app.log"), "utf8")
      .split("\n")
      .filter((line) => line.includes('"message not answered"') && line.includes(messageId))
      .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as Record<string, unknown>);

  before(async () => {
    stack = await startStack({ folder, cleanup });
    cleanup.add(await fillSample(stack.sqlServer.server, FLIGHTS, () => undefined), (it) => it.close());
    bus = cleanup.add(new ServiceBusClient(stack.queue.connectionString), (it) => it.close());
    const definition = { connection: CONNECTION, operation: { op: "sql.table", table: "dbo.Flights", columns: "*" } };
    await stack.api.post(`/tenants/${TENANT}/pulls`, { id: "flights", definition });
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  it("foreign ones come ten times, then lie in the dead-letter queue as they were; good ones pass by", async () => {
    const bell = { v: 1, tenant: TENANT, pull: "flights", run: "8204677757643-7561cbe7" };
    const poison: Record<string, { body: unknown; code: string; text: string }> = {
      "not-json": {
        body: Buffer.from("certainly { not JSON"),
        code: "queue.unparseable",
        text: "certainly { not JSON",
      },
      empty: { body: Buffer.alloc(0), code: "queue.unparseable", text: "" },
      "foreign-json": { body: { hello: "world" }, code: "queue.unparseable", text: '{"hello":"world"}' },
      "later-version": { body: { ...bell, v: 2 }, code: "queue.unparseable", text: JSON.stringify({ ...bell, v: 2 }) },
      "unknown-run": { body: bell, code: "queue.unknown_run", text: JSON.stringify(bell) },
    };
    // A run before, some between and one after.
    const runs = [await runPull(stack.api, TENANT, "flights")];
    const between: Promise<Awaited<ReturnType<typeof runPull>>>[] = [];
    for (const [id, { body }] of Object.entries(poison)) {
      await send(id, body);
      between.push(runPull(stack.api, TENANT, "flights"));
    }
    runs.push(...(await Promise.all(between)));
    const dead = await deadLetters(Object.keys(poison));
    runs.push(await runPull(stack.api, TENANT, "flights"));

    for (const { run } of runs) assert.deepEqual([run.state, run.rows], ["published", FLIGHTS], run.id);
    assert.deepEqual(dead.map(({ messageId }) => messageId).toSorted(), Object.keys(poison).toSorted());
    for (const { messageId, body, deadLetterReason, deadLetterErrorDescription, deadLetterSource } of dead) {
      const { code, text } = poison[String(messageId)]!;
      assert.equal(Buffer.from(body as Uint8Array).toString("utf8"), text);
      assert.equal(deadLetterReason, "MaxDeliveryCountExceeded");
      assert.equal(deadLetterErrorDescription, "Message could not be consumed after 10 delivery attempts.");
      assert.equal(deadLetterSource, "slices");
      const said = saidOf(String(messageId));
      assert.deepEqual(
        said.map((line) => [line.code, line.deliveries]),
        Array.from({ length: 10 }, (_, index) => [code, index + 1]),
      );
    }
    const left = bus.createReceiver("slices", { skipParsingBodyAsJson: true });
    assert.deepEqual(await left.peekMessages(10), [], "nothing else is left in the queue");
    await left.close();
  });

  it("a doorbell that fails ten times loses nothing: the run is its record, and another bell brings it to its end", async () => {
    // A site without an agent: the run waits, and does not end while its record is out of order.
    await stack.api.post(`/tenants/${TENANT}/sites`, { id: "empty", name: "Empty" });
    await stack.api.post(`/tenants/${TENANT}/connections`, { id: "far", site: "empty", kind: "mssql" });
    await stack.api.put(`/tenants/${TENANT}/connections/far/credential`, { user: "u", password: "p" });
    const definition = { connection: "far", operation: { op: "sql.table", table: "dbo.Flights", columns: "*" } };
    await stack.api.post(`/tenants/${TENANT}/pulls`, { id: "broken", definition });
    const run = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/broken/runs`, {});
    const view = () => stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
    while ((await view()).state !== "waiting") await Promise.race([pause(50), stack.broken]);

    const options = { allowInsecureConnection: true };
    const table = TableClient.fromConnectionString(stack.storage.connectionString, "runs", options);
    const cursor = await table.getEntity(`${TENANT}|broken`, "cursor");
    const { etag, timestamp, "odata.metadata": _, ...kept } = cursor as Record<string, unknown>;
    const row = { partitionKey: `${TENANT}|broken`, rowKey: "cursor" };
    await table.updateEntity({ ...row, nonsense: true }, "Replace");
    await send("good-bell", { v: 1, tenant: TENANT, pull: "broken", run: run.id.split(".")[1] });
    const dead = (await deadLetters(["good-bell"])).find(({ messageId }) => messageId === "good-bell");
    assert.equal(dead!.deadLetterReason, "MaxDeliveryCountExceeded");
    assert.equal(saidOf("good-bell").length, 10);
    const { run: other } = await runPull(stack.api, TENANT, "flights");
    assert.equal(other.state, "published");

    await table.updateEntity({ ...kept, ...row }, "Replace");
    const { answer } = await stack.api.post<{ answer: string }>(`/tenants/${TENANT}/runs/${run.id}/cancel`, {});
    assert.ok(["cancelled", "asked"].includes(answer), answer);
    while ((await view()).state !== "cancelled") await Promise.race([pause(50), stack.broken]);
  });
});
