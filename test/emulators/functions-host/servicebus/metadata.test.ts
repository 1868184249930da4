import assert from "node:assert/strict";
import { test } from "node:test";
import { toServiceBusInput } from "./metadata.ts";

test("a message's facts travel as the extension names and types them", () => {
  const { inputData, triggerMetadata } = toServiceBusInput("msg", "string", {
    body: Buffer.from('{"run":"r1"}'),
    messageId: "m1",
    correlationId: "c1",
    subject: "slice",
    lockToken: "0f8fad5b-d9cb-469f-a165-70867728950e",
    deliveryCount: 0,
    enqueuedTimeUtc: new Date("2026-11-22T10:00:00.123Z"),
    applicationProperties: { Attempt: 2, Due: new Date(0), Raw: Buffer.from("x") as never },
  });
  assert.deepEqual(inputData, [{ name: "msg", data: { string: '{"run":"r1"}' } }]);
  assert.deepEqual(triggerMetadata, {
    MessageId: { string: "m1" },
    CorrelationId: { string: "c1" },
    Subject: { string: "slice" },
    LockToken: { string: "0f8fad5b-d9cb-469f-a165-70867728950e" },
    DeliveryCount: { json: "1" },
    EnqueuedTimeUtc: { json: '"2026-11-22T10:00:00.123Z"' },
    ApplicationProperties: { json: '{"Attempt":2,"Due":"1970-01-01T00:00:00.000Z","Raw":"eA=="}' },
  });
});

const BODIES: [what: string, body: unknown, text: string][] = [
  ["data", Buffer.from("plain"), "plain"],
  ["several data sections", [Buffer.from("a"), Buffer.from("b")], "ab"],
  ["a string value", "text", "text"],
  ["another value", { a: 1 }, '{"a":1}'],
  ["nothing", undefined, ""],
];

for (const [what, body, text] of BODIES) {
  test(`${what} arrives as text, or as bytes where the binding says binary`, () => {
    assert.deepEqual(toServiceBusInput("m", "string", { body }).inputData[0]?.data, { string: text });
    assert.deepEqual(toServiceBusInput("m", "binary", { body }).inputData[0]?.data, { bytes: Buffer.from(text) });
  });
}
