import assert from "node:assert/strict";
import { before, test } from "node:test";
import { generateSessionKey } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf, type Signer } from "@sallyport/shared/crypto/jws.ts";
import { buildHello, type HelloRecord } from "@sallyport/shared/protocol/hello.ts";
import { InvalidRequest, type SessionRequestPayload, sealRequest } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { Clock } from "../clock.ts";
import { type ReceiveDeps, receiveRequest } from "./receive-request.ts";
import type { Rendezvous } from "./rendezvous.ts";

const AGENT = "a".repeat(32);
let identity: Signer;
let orchestrator: Signer;
let pinned: ReceiveDeps["pinned"];
before(async () => {
  identity = signerOf("EdDSA", await generateKeyPair("EdDSA"));
  const signing = await generateKeyPair("ES256");
  orchestrator = signerOf("ES256", signing);
  pinned = new Map([[signing.kid, publicKeyOf(signing.publicJwk)]]);
});

async function begin() {
  const sessionKey = await generateSessionKey();
  const hello = await buildHello(
    {
      v: 1,
      agent: AGENT,
      site: "oslo",
      challenge: "c".repeat(43),
      key: Buffer.from(sessionKey.publicKey).toString("base64url"),
      iat: 0,
      version: "1.0.0",
      policy: "p".repeat(43),
      maskKey: null,
      maxSessions: 4,
      operations: ["agent.ping"],
    },
    identity,
  );
  const closed = Promise.withResolvers<void>();
  const sent: Uint8Array[] = [];
  let say = (_message: Uint8Array | "text"): void => {};
  const rendezvous: Rendezvous = {
    send: (record) => sent.push(record),
    onMessage: (listener) => {
      say = listener;
    },
    closed: closed.promise,
    close: async () => closed.resolve(),
  };
  let expire = (): void => {};
  let waitsMs = 0;
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        waitsMs = ms;
        expire = resolve;
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const deps = { order: { agent: AGENT, site: "oslo" }, sessionKey, hello: hello.record, pinned, clock };
  const received = receiveRequest(rendezvous, deps);
  received.catch(() => {});
  return {
    hello,
    sent,
    received,
    say: (message: Uint8Array | "text") => say(message),
    expire: () => expire(),
    close: () => closed.resolve(),
    waitsMs: () => waitsMs,
  };
}

const payload = ({ hash }: HelloRecord): SessionRequestPayload => ({
  v: 1,
  id: "0".repeat(32),
  hello: hash.toString("base64url"),
  agent: AGENT,
  site: "oslo",
  tenant: "contoso",
  connection: null,
  caller: "key:test",
  iat: 0,
  operation: { op: "agent.ping" },
  credential: null,
  limits: DEFAULT_LIMITS,
  window: 4 << 20,
});

test("the hello goes out first, and its request opens", async () => {
  const { hello, sent, received, say } = await begin();
  assert.deepEqual(sent, [hello.record]);
  say((await sealRequest(payload(hello), hello, orchestrator)).record);
  const { request, stream } = await received;
  assert.ok(!(request instanceof InvalidRequest) && request.operation.op === "agent.ping");
  stream.end();
});

test("a request after 30 s of the monotonic clock is too late", async () => {
  const { received, expire, waitsMs } = await begin();
  assert.equal(waitsMs(), 30_000);
  expire();
  await assert.rejects(received, { code: "request.expired" });
});

test("a close before the request is a truncated session", async () => {
  const { received, close } = await begin();
  close();
  await assert.rejects(received, { code: "protocol.truncated" });
});

test("text instead of the request", async () => {
  const { received, say } = await begin();
  say("text");
  await assert.rejects(received, { code: "protocol.order" });
});

test("a genuine request of an unknown operation can be refused sealed", async () => {
  const { hello, received, say } = await begin();
  const unknown = { ...payload(hello), operation: { op: "sql.everything" } } as unknown as SessionRequestPayload;
  say((await sealRequest(unknown, hello, orchestrator)).record);
  const { request, stream } = await received;
  assert.ok(request instanceof InvalidRequest && request.code === "request.invalid");
  stream.end();
});

test("a message that came while the request was opened is not lost: a second request stops the session", async () => {
  const { hello, received, say } = await begin();
  const { record } = await sealRequest(payload(hello), hello, orchestrator);
  say(record);
  say(record);
  const { stream } = await received;
  assert.equal((stream.signal.reason as { code: string }).code, "protocol.order");
  stream.end();
});
