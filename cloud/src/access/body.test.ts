import assert from "node:assert/strict";
import { it } from "node:test";
import { HttpRequest } from "@azure/functions";
import { MAX_BODY_BYTES, readBytes } from "./body.ts";

/** A body that comes in chunks of 1 KiB, and how many of them were read. */
function streamed(chunks: number, headers: Readonly<Record<string, string>> = {}) {
  const asked = { chunks: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (asked.chunks === chunks) return controller.close();
        asked.chunks += 1;
        controller.enqueue(new Uint8Array(1024).fill(asked.chunks));
      },
      cancel() {
        asked.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
  // What the platform's request wraps.
  return { asked, request: new Request("https://sallyport.example/api", init) as unknown as HttpRequest };
}

const MOST_CHUNKS = MAX_BODY_BYTES / 1024;
const refused = { code: "api.too_large" };

it("a body up to the bound is read whole, with a length or without", async () => {
  for (const headers of [{}, { "content-length": String(MAX_BODY_BYTES) }]) {
    const bytes = await readBytes(streamed(MOST_CHUNKS, headers).request);
    assert.equal(bytes.byteLength, MAX_BODY_BYTES);
    assert.deepEqual([bytes[0], bytes[1024]], [1, 2]);
  }
});

it("a body without a length, or with a wrong one, is read no further than the bound", async () => {
  for (const headers of [{}, { "content-length": "10" }, { "content-length": "many" }]) {
    const { asked, request } = streamed(100_000, headers);
    await assert.rejects(readBytes(request), refused);
    assert.deepEqual(asked, { chunks: MOST_CHUNKS + 1, cancelled: true });
  }
});

it("a length beyond the bound is refused unread", async () => {
  const { asked, request } = streamed(1, { "content-length": String(MAX_BODY_BYTES + 1) });
  await assert.rejects(readBytes(request), refused);
  assert.equal(asked.chunks, 0);
});

it("no body is an empty one", async () => {
  const request = new HttpRequest({ method: "POST", url: "https://sallyport.example/api" });
  assert.equal((await readBytes(request)).byteLength, 0);
});
