import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fromBase64url, sha256, toBase64url } from "../crypto/bytes.ts";
import { sessionKeyFrom } from "../crypto/envelope.ts";
import { publicKeyOf } from "../crypto/jws.ts";
import { createAgentStream } from "./agent-stream.ts";
import { SallyportError } from "./errors.ts";
import { createOpener } from "./frames.ts";
import { verifyHello } from "./hello.ts";
import { openRequest } from "./request.ts";

const vectors = JSON.parse(readFileSync(new URL("../../../test/vectors/session.json", import.meta.url), "utf8"));
type Recorded = string | { readonly kind: number; readonly bytes: number };
const bytes = (recorded: Recorded): Buffer => {
  if (typeof recorded === "object") return Buffer.alloc(recorded.bytes).fill(recorded.kind, 0, 1);
  const decoded = fromBase64url(recorded);
  assert.ok(decoded, "vectors are base64url");
  return decoded;
};

/** What became of it: `ok`, or the code of the refusal. */
async function verdict(work: () => unknown): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (thrown) {
    if (thrown instanceof SallyportError) return thrown.code;
    throw thrown;
  }
}

describe("vectors: hello", () => {
  const { agent, site, challenge, identity } = vectors;
  const expected = { agent, site, challenge, identity: identity.jwk, kid: identity.kid };
  for (const { name, record, expect } of vectors.hello) {
    it(`${name}: ${expect}`, async () => {
      assert.equal(await verdict(() => verifyHello(bytes(record), expected)), expect);
    });
  }
});

describe("vectors: request", () => {
  const { agent, site, orchestrator, session } = vectors;
  const hello = { hash: bytes(vectors.helloHash), agent, site };
  const pinned = (kid: string) => (kid === orchestrator.kid ? publicKeyOf(orchestrator.jwk) : undefined);
  const openVector = async (record: Recorded) =>
    openRequest(bytes(record), await sessionKeyFrom(bytes(session.seed), bytes(session.publicKey)), hello, pinned);
  for (const { name, record, expect } of vectors.requests) {
    it(`${name}: ${expect}`, async () => assert.equal(await verdict(() => openVector(record)), expect));
  }
  it("gives the payload and both stream keys", async () => {
    const { request, keys } = await openVector(vectors.requests[0].record);
    assert.deepEqual(request, vectors.request);
    assert.equal(toBase64url(keys.toOrchestrator), vectors.keys.toOrchestrator);
    assert.equal(toBase64url(keys.toAgent), vectors.keys.toAgent);
  });
  it("names the hello by the hash of its whole record", () => {
    assert.equal(toBase64url(sha256(bytes(vectors.hello[0].record))), vectors.helloHash);
  });
});

describe("vectors: frames", () => {
  for (const { name, records, expect } of vectors.frames) {
    it(`${name}: ${expect}`, async () => {
      const open = createOpener(bytes(vectors.keys.toOrchestrator));
      const stream = createAgentStream(1024);
      const all = () => records.map((record: Recorded) => stream(open(bytes(record))));
      assert.equal(await verdict(all), expect);
    });
  }
});

it("has more negative vectors than positive ones", () => {
  const all = [...vectors.hello, ...vectors.requests, ...vectors.frames];
  const negative = all.filter((vector) => vector.expect !== "ok");
  assert.ok(negative.length > all.length / 2);
});
