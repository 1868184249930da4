import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cloudEvent } from "@sallyport/shared/schema/events.ts";
import { parseLaneBell, queueRing, topicPublish } from "./bus.ts";
import { runEvent } from "./event.ts";

const run = {
  ...{ tenant: "acme", pull: "orders", id: "orders/7", run: "orders.1-2", state: "published" as const, seq: 7 },
  ...{ manifest: "acme/orders/manifests/7.json", rows: 10, bytes: 100, code: null, at: "2026-01-01T00:00:00.000Z" },
};

describe("events on Service Bus", () => {
  it("are structured CloudEvents, with what subscriptions filter by, and their identity as the message's id", async () => {
    const sent: Record<string, unknown>[] = [];
    const publish = topicPublish({ sendMessages: async (message) => void sent.push({ ...message }) });
    const event = runEvent("https://sallyport.example", run);
    await publish("acme", event);
    const [{ body, ...message }] = sent as [{ body: Buffer }];
    assert.deepEqual(cloudEvent.parse(JSON.parse(body.toString("utf8"))), event);
    assert.deepEqual(message, {
      contentType: "application/cloudevents+json; charset=utf-8",
      messageId: "acme/orders/7",
      sessionId: "acme/pulls/orders",
      subject: "sallyport.run.published",
      applicationProperties: { type: "sallyport.run.published", tenant: "acme", subject: "pulls/orders" },
    });
    await publish("t".repeat(40), { ...event, id: `${"p".repeat(80)}/${"r".repeat(80)}` });
    assert.equal(String(sent[1]?.messageId).length, 43);
  });

  it("a run's event says what became of it and where it is, and a state that is no end is refused", () => {
    const event = runEvent("https://sallyport.example", run);
    assert.deepEqual(
      [event.source, event.id, event.subject, event.time],
      [...["https://sallyport.example/api/v1/tenants/acme", "orders/7", "pulls/orders", "2026-01-01T00:00:00.000Z"]],
    );
    const { tenant, pull, run: id, seq, manifest, rows, bytes, code } = event.data;
    assert.deepEqual(
      [tenant, pull, id, seq, manifest, rows, bytes, code],
      [...["acme", "orders", "orders.1-2", 7, "acme/orders/manifests/7.json", 10, 100, null]],
    );
    const failed = runEvent("https://sallyport.example", { ...run, state: "failed", code: "policy.denied" });
    assert.deepEqual([failed.type, failed.data.code], ["sallyport.run.failed", "policy.denied"]);
    assert.throws(() => runEvent("https://sallyport.example", { ...run, state: "running" }), RangeError);
  });

  it("a bell comes as it was rung; anything else is no bell", async () => {
    const key = { tenant: "acme", webhook: "hook", lane: "pulls.orders" };
    const now: unknown[] = [];
    const later: [unknown, Date][] = [];
    const ring = queueRing({
      sendMessages: async (message) => void now.push((message as { body: unknown }).body),
      scheduleMessages: async (message, at) => {
        later.push([(message as { body: unknown }).body, at]);
        return [];
      },
    });
    await ring(key);
    const at = Date.now() + 60_000;
    await ring(key, at);
    assert.deepEqual(parseLaneBell(now[0]), key);
    assert.deepEqual([parseLaneBell(later[0]?.[0]), later[0]?.[1].getTime()], [key, at]);
    for (const foreign of [
      "text",
      null,
      {},
      { ...key, v: 2 },
      { v: 1, ...key, lane: "pulls|x" },
      { v: 1, ...key, more: 1 },
    ]) {
      assert.throws(() => parseLaneBell(foreign), { code: "queue.unparseable" });
    }
  });
});
