import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { whenInputEnds } from "./input-end.ts";

for (const [how, end] of [
  ["ends", (input: PassThrough) => input.end("stop\n")],
  ["breaks", (input: PassThrough) => input.destroy(new Error("EPIPE"))],
  ["is closed", (input: PassThrough) => input.destroy()],
] as const) {
  test(`a process is asked to stop once when its input ${how}, not by what is in it`, async () => {
    const input = new PassThrough();
    let asked = 0;
    whenInputEnds(input, () => {
      asked += 1;
    });
    input.write("stop\n");
    await new Promise(setImmediate);
    assert.equal(asked, 0);
    end(input);
    await new Promise(setImmediate);
    assert.equal(asked, 1);
  });
}
