import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createWire, type SecurityLayer } from "./wire.ts";

const MESSAGE = Buffer.from("30050201016100", "hex");
const LAYER: SecurityLayer = { wrap: (message) => message, unwrap: (sealed) => sealed };

/** A socket of which only the reading side matters. */
function given(...chunks: readonly Buffer[]): ReturnType<typeof createWire> {
  const socket = new PassThrough();
  socket.write(Buffer.concat(chunks));
  return createWire(socket);
}

test("what came in the clear behind the end of a sign-in is no answer under its security layer", async () => {
  for (const extra of [MESSAGE, MESSAGE.subarray(0, 3)]) {
    const wire = given(MESSAGE, extra);
    assert.deepEqual(await wire.receive(10_000), MESSAGE);
    assert.throws(() => wire.protect(LAYER), { code: "directory.protocol" });
  }
});

test("a sign-in after which nothing more came is put under its security layer", async () => {
  const wire = given(MESSAGE);
  assert.deepEqual(await wire.receive(10_000), MESSAGE);
  wire.protect(LAYER);
  wire.socket.push(Buffer.concat([Buffer.from([0, 0, 0, MESSAGE.length]), MESSAGE]));
  assert.deepEqual(await wire.receive(10_000), MESSAGE);
  wire.end(new Error("over"));
});
