import assert from "node:assert/strict";
import { describe, test } from "node:test";
import rhea, { type Typed } from "rhea";
import type { Message, StoredMessage } from "../broker/message.ts";
import { BATCH_FORMAT, readTransfer, SINGLE_FORMAT } from "./batch.ts";
import { amend, encodeStored, facets, readMessage } from "./message.ts";
import { encodeSection, SECTION } from "./sections.ts";

const newId = () => "assigned";
const encode = (message: object) => rhea.message.encode({ body: "b", ...message });
const decode = (message: Message) => rhea.message.decode(message.bare);

const { types } = rhea;
const sections = (...parts: [number, Typed][]) =>
  Buffer.concat(
    [...parts, [SECTION.value, types.wrap(null)] as const].map(([code, value]) => encodeSection(code, value)),
  );

const stored = (message: Message): StoredMessage => ({
  sequenceNumber: 5,
  state: "deferred",
  message,
  enqueuedAtMs: 1000,
  expiresAtMs: 31_000,
  deliveries: 2,
  deadLetterSource: "q",
});

describe("reading", () => {
  test("keeps the bare message byte for byte", () => {
    const full = {
      message_id: "m",
      subject: "s",
      application_properties: { a: 1, b: new Date(5) },
      body: rhea.message.data_section(Buffer.from([1, 2])),
    };
    const message = readMessage(encode({ ...full, ttl: 7, message_annotations: { "x-mine": 1 } }), newId);
    assert.equal(message.messageId, "m");
    assert.equal(message.ttlMs, 7);
    // The plain message begins with an empty header section of rhea's, which is not part of the bare message.
    assert.ok(encode(full).subarray(-message.bare.length).equals(message.bare));
  });

  test("assigns an id only where there is none, and keeps the other properties", () => {
    const message = readMessage(encode({ subject: "s" }), newId);
    assert.equal(message.messageId, "assigned");
    assert.deepEqual(
      [decode(message).message_id, decode(message).subject, decode(message).body],
      ["assigned", "s", "b"],
    );
    assert.equal(readMessage(encode({ message_id: 7 }), newId).messageId, "7");
  });

  test("finds the time it is scheduled for", () => {
    const at = new Date(1_800_000_000_000);
    const message = readMessage(encode({ message_annotations: { "x-opt-scheduled-enqueue-time": at } }), newId);
    assert.equal(message.scheduledAtMs, at.getTime());
  });

  const hostile: [string, Buffer][] = [
    ["nothing", Buffer.alloc(0)],
    ["a value outside of a section", Buffer.from([0x41])],
    ["an unknown section", Buffer.from([0x00, 0x53, 0x79, 0x45])],
    ["a message that is cut off", encode({}).subarray(0, -1)],
    ["sections out of order", Buffer.concat([encode({}), encode({})])],
    ["properties that are a map", sections([SECTION.properties, types.wrap_map({ a: 1 })])],
    ["application properties that are null", sections([SECTION.applicationProperties, types.wrap(null)])],
    ["application properties that are text", sections([SECTION.applicationProperties, types.wrap_string("a")])],
    ["annotations that are a list", sections([SECTION.messageAnnotations, types.wrap_list([1])])],
    ["no body", Buffer.from([0x00, 0x53, 0x70, 0x45])],
  ];
  for (const [name, bytes] of hostile) test(`refuses ${name}`, () => assert.throws(() => readMessage(bytes, newId)));
});

describe("batches", () => {
  const batch = (...parts: Buffer[]) => rhea.message.encode({ body: rhea.message.data_sections(parts) });

  test("hold one message in each data section", () => {
    const messages = readTransfer(batch(encode({ message_id: "a" }), encode({ message_id: "b" })), BATCH_FORMAT);
    assert.deepEqual(
      messages.map(({ messageId }) => messageId),
      ["a", "b"],
    );
  });

  test("are refused whole when one message is broken", () => {
    assert.throws(() => readTransfer(batch(encode({}), Buffer.from([1])), BATCH_FORMAT));
    assert.throws(() => readTransfer(encode({}), BATCH_FORMAT), /without messages/);
    assert.throws(() => readTransfer(encode({}), 7), /unknown message format 7/);
    assert.equal(readTransfer(encode({}), SINGLE_FORMAT).length, 1);
  });
});

describe("writing", () => {
  test("puts the broker's annotations beside the sender's, and replaces forged ones", () => {
    const message = readMessage(
      encode({ message_annotations: { "x-mine": "kept", "x-opt-sequence-number": 999 } }),
      newId,
    );
    const decoded = rhea.message.decode(encodeStored(stored(message)));
    assert.deepEqual(decoded.message_annotations, {
      "x-mine": "kept",
      "x-opt-sequence-number": 5,
      "x-opt-enqueue-sequence-number": 5,
      "x-opt-enqueued-time": new Date(1000),
      "x-opt-message-state": 1,
      "x-opt-deadletter-source": "q",
    });
    assert.deepEqual([decoded.delivery_count, decoded.ttl, decoded.body], [2, 30_000, "b"]);
  });

  test("amends application properties and nothing else", () => {
    const message = readMessage(encode({ message_id: "m", application_properties: { a: 1, b: 2 } }), newId);
    const amended = decode(amend(message, { b: "new", DeadLetterReason: "r" }));
    assert.deepEqual(amended.application_properties, { a: 1, b: "new", DeadLetterReason: "r" });
    assert.deepEqual([amended.message_id, amended.body], ["m", "b"]);
    const first = decode(amend(readMessage(encode({}), newId), { c: true }));
    assert.deepEqual([first.application_properties, first.body], [{ c: true }, "b"]);
  });

  test("shows rules what they may look at", () => {
    const message = readMessage(encode({ correlation_id: "c", subject: "s", application_properties: { n: 1 } }), newId);
    assert.deepEqual(facets(message), {
      correlationId: "c",
      messageId: "assigned",
      subject: "s",
      applicationProperties: { n: 1 },
    });
    const all = { to: "t", reply_to: "r", content_type: "c", group_id: "g", reply_to_group_id: "rg" };
    assert.deepEqual(facets(readMessage(encode({ message_id: "m", ...all }), newId)), {
      messageId: "m",
      to: "t",
      replyTo: "r",
      contentType: "c",
      sessionId: "g",
      replyToSessionId: "rg",
      applicationProperties: {},
    });
    const odd = sections([SECTION.applicationProperties, types.wrap_map({ none: null, yes: true, at: new Date(5) })]);
    assert.deepEqual(facets(readMessage(odd, newId)).applicationProperties, { none: null, yes: true, at: new Date(5) });
  });
});
