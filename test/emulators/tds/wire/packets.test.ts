import assert from "node:assert/strict";
import { test } from "node:test";
import { readLogin7, readPrelogin } from "./login7.ts";
import { cutPackets, PACKET, packetReader } from "./packets.ts";

test("a message survives every cut of its packets", () => {
  const payload = Buffer.from(Array.from({ length: 3000 }, (_, n) => n & 0xff));
  const { packets } = cutPackets(PACKET.response, payload, 512, true);
  for (const step of [1, 7, 511, 512, 513, 10_000]) {
    const read = packetReader();
    const found = [];
    for (let at = 0; at < packets.length; at += step) found.push(...read(packets.subarray(at, at + step)));
    assert.deepEqual(Buffer.concat(found.map((packet) => packet.payload)), payload);
    assert.deepEqual(found.map((packet) => packet.last).indexOf(true), found.length - 1);
  }
});

test("all packets but the last are full, and the last is not empty", () => {
  const { packets, used } = cutPackets(PACKET.response, Buffer.alloc(504 * 2), 512, false);
  assert.deepEqual([packets.length, used], [512, 504]);
});

test("a packet shorter than its header is refused", () => {
  assert.throws(() => packetReader()(Buffer.from("0401000700000000", "hex")), RangeError);
});

test("a PRELOGIN without an end and a LOGIN7 that points outside itself are bounded", () => {
  assert.deepEqual(readPrelogin(Buffer.alloc(4096, 1)), { encryption: 1 });
  assert.deepEqual(readPrelogin(Buffer.from([1, 0xff, 0xff, 0, 1, 0xff])), { encryption: 0 });
  assert.throws(() => readLogin7(Buffer.alloc(20)), RangeError);
  assert.throws(() => readLogin7(Buffer.alloc(94, 0xff)), RangeError);
});
