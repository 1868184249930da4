import assert from "node:assert/strict";
import { it } from "node:test";
import { encodeRecord, expectRecord, KIND, MAX_MESSAGE_BYTES, MAX_RECORD_BYTES } from "./records.ts";

it("a record's body comes back as it was", () => {
  const body = Buffer.from([1, 2, 3]);
  assert.deepEqual(expectRecord(encodeRecord(KIND.hello, body), KIND.hello), body);
});

it("a record that is a view of a larger buffer gives its own bytes only", () => {
  const wide = Buffer.concat([Buffer.from([9, 9]), encodeRecord(KIND.frame, Buffer.from([5])), Buffer.from([9])]);
  assert.deepEqual(expectRecord(wide.subarray(2, 4), KIND.frame), Buffer.from([5]));
});

it("an empty record, one of another kind, and one that is too large are out of order", () => {
  const refused = (message: Uint8Array) =>
    assert.throws(() => expectRecord(message, KIND.hello), { code: "protocol.order" });
  refused(new Uint8Array(0));
  refused(Uint8Array.of(KIND.hello));
  refused(encodeRecord(KIND.request, Buffer.alloc(10)));
  refused(encodeRecord(KIND.hello, Buffer.alloc(MAX_RECORD_BYTES[KIND.hello])));
  expectRecord(encodeRecord(KIND.hello, Buffer.alloc(MAX_RECORD_BYTES[KIND.hello] - 1)), KIND.hello);
});

it("the sizes are those of the protocol", () => {
  assert.deepEqual(MAX_RECORD_BYTES, { [KIND.hello]: 8192, [KIND.request]: 65_536, [KIND.frame]: 262_163 });
  assert.equal(MAX_MESSAGE_BYTES, 262_163);
});
