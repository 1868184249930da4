import assert from "node:assert/strict";
import { test } from "node:test";
import { channelBindings, identityOf } from "./sspi.ts";

test("a binding is SEC_CHANNEL_BINDINGS: eight words, of which only the data's length and place are set", () => {
  const data = Buffer.from("tls-server-end-point:x");
  const words = Array.from({ length: 8 }, (_, at) => channelBindings(data).readUInt32LE(at * 4));
  assert.deepEqual(words, [0, 0, 0, 0, 0, 0, data.length, 32]);
  assert.deepEqual(channelBindings(data).subarray(32), data);
});

test("an identity has its domain apart, or in its user principal name", () => {
  assert.deepEqual(identityOf("CORP\\kari"), { user: "kari", domain: "CORP" });
  assert.deepEqual(identityOf("kari@corp.example"), { user: "kari@corp.example", domain: "" });
});
