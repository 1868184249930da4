/**
 * Records `session.json`: one session as both sides must see it, and what must be refused. Sealing draws random bytes, so
 * a run makes other bytes: the file is recorded when the protocol changes, and read by everybody's tests.
 *
 *   node --disable-warning=ExperimentalWarning test/vectors/record-session.ts > test/vectors/session.json
 */
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { generateSeededKey, seal } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import { createSealer, creditBody, FRAME, type FrameType, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import { buildHello, type Hello, type HelloRecord } from "@sallyport/shared/protocol/hello.ts";
import { encodeRecord, KIND } from "@sallyport/shared/protocol/records.ts";
import { type SessionRequestPayload, sealRequest } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";

const b64 = toBase64url;
const identity = await generateKeyPair("EdDSA");
const stranger = await generateKeyPair("EdDSA");
const orchestrator = await generateKeyPair("ES256");
const otherOrchestrator = await generateKeyPair("ES256");
const session = await generateSeededKey();
const otherSession = await generateSeededKey();
const agentSigner = signerOf("EdDSA", identity);
const orchestratorSigner = signerOf("ES256", orchestrator);
const [agent, site, challenge] = [randomBytes(16).toString("hex"), "oslo", b64(randomBytes(32))];

const helloPayload: Hello = {
  v: 1,
  agent,
  site,
  challenge,
  key: b64(session.publicKey),
  iat: 1_790_000_000,
  version: "0.1.0",
  policy: b64(sha256(utf8("policy"))),
  maskKey: null,
  maxSessions: 4,
  operations: ["sql.table", "sql.query", "agent.ping"],
};
const hello = await buildHello(helloPayload, agentSigner);

const requestPayload: SessionRequestPayload = {
  v: 1,
  id: randomBytes(16).toString("hex"),
  hello: b64(hello.hash),
  agent,
  site,
  tenant: "contoso",
  connection: "erp",
  caller: "pull:orders",
  iat: 1_790_000_001,
  operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
  credential: { form: "plain", user: "svc_sallyport", password: "vector only", signIn: "sql" },
  limits: DEFAULT_LIMITS,
  window: 4 * 2 ** 20,
};
const sealed = await sealRequest(requestPayload, hello, orchestratorSigner);

interface Case {
  readonly name: string;
  readonly expect: string;
  readonly [field: string]: unknown;
}

const flip = (bytes: Uint8Array, at: number) => {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at]! ^= 1;
  return copy;
};
const helloRecord = (compact: string) => encodeRecord(KIND.hello, utf8(compact));
/** A JWS with any header, for what `signJws` would never make. */
const forge = async (header: object, payload: object, signer: Pick<Signer, "sign">) => {
  const input = `${b64(utf8(JSON.stringify(header)))}.${b64(utf8(JSON.stringify(payload)))}`;
  return `${input}.${b64(await signer.sign(utf8(input)))}`;
};
const header = { alg: "EdDSA", typ: "sallyport-hello+jws", kid: identity.kid };
const hmacWithPublicKey = {
  sign: async (input: Uint8Array) =>
    createHmac("sha256", Buffer.from(identity.publicJwk.x!, "base64url")).update(input).digest(),
};

const helloCases: Case[] = [
  { name: "genuine", expect: "ok", record: b64(hello.record) },
  { name: "signature altered", expect: "protocol.hello", record: b64(flip(hello.record, -2)) },
  { name: "payload altered", expect: "protocol.hello", record: b64(flip(hello.record, 300)) },
  { name: "truncated", expect: "protocol.hello", record: b64(hello.record.subarray(0, -20)) },
  { name: "empty message", expect: "protocol.order", record: "" },
  { name: "kind alone", expect: "protocol.order", record: b64(Uint8Array.of(KIND.hello)) },
  { name: "unknown kind", expect: "protocol.order", record: b64(encodeRecord(9 as never, hello.record.subarray(1))) },
  {
    name: "a frame in its place",
    expect: "protocol.order",
    record: b64(encodeRecord(KIND.frame, hello.record.subarray(1))),
  },
  { name: "oversize", expect: "protocol.order", record: { kind: KIND.hello, bytes: 8193 } },
  { name: "not a JWS", expect: "protocol.hello", record: b64(helloRecord("hello")) },
  {
    name: "other agent",
    expect: "protocol.hello",
    record: b64((await buildHello({ ...helloPayload, agent: "0".repeat(32) }, agentSigner)).record),
  },
  {
    name: "other site",
    expect: "protocol.hello",
    record: b64((await buildHello({ ...helloPayload, site: "bergen" }, agentSigner)).record),
  },
  {
    name: "other challenge (replayed)",
    expect: "protocol.hello",
    record: b64((await buildHello({ ...helloPayload, challenge: b64(randomBytes(32)) }, agentSigner)).record),
  },
  {
    name: "another agent's key",
    expect: "protocol.hello",
    record: b64((await buildHello(helloPayload, signerOf("EdDSA", stranger))).record),
  },
  {
    name: "right kid, another key's signature",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge(header, helloPayload, signerOf("EdDSA", stranger)))),
  },
  {
    name: "typ of a token",
    expect: "protocol.hello",
    record: b64(helloRecord(await signJws("token", helloPayload, agentSigner))),
  },
  {
    name: "no typ",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ alg: "EdDSA", kid: identity.kid }, helloPayload, agentSigner))),
  },
  {
    name: "no kid",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ alg: "EdDSA", typ: header.typ }, helloPayload, agentSigner))),
  },
  {
    name: "alg none",
    expect: "protocol.hello",
    record: b64(
      helloRecord(await forge({ ...header, alg: "none" }, helloPayload, { sign: async () => new Uint8Array(0) })),
    ),
  },
  {
    name: "alg HS256 with the public key",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ ...header, alg: "HS256" }, helloPayload, hmacWithPublicKey))),
  },
  {
    name: "alg ES256 by the orchestrator's key",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ ...header, alg: "ES256" }, helloPayload, orchestratorSigner))),
  },
  {
    name: "brings its own key (jwk)",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ ...header, jwk: stranger.publicJwk }, helloPayload, agentSigner))),
  },
  {
    name: "brings a key address (jku)",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ ...header, jku: "https://x.example/" }, helloPayload, agentSigner))),
  },
  {
    name: "brings a certificate (x5c)",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ ...header, x5c: ["MA=="] }, helloPayload, agentSigner))),
  },
  {
    name: "critical header",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge({ ...header, crit: ["b64"], b64: true }, helloPayload, agentSigner))),
  },
  {
    name: "unknown version",
    expect: "protocol.version",
    record: b64(helloRecord(await forge(header, { ...helloPayload, v: 2 }, agentSigner))),
  },
  {
    name: "session key too short",
    expect: "protocol.hello",
    record: b64(helloRecord(await forge(header, { ...helloPayload, key: "AAAA" }, agentSigner))),
  },
  {
    name: "payload not JSON",
    expect: "protocol.hello",
    record: b64(helloRecord(await signJws("hello", utf8("not json"), agentSigner))),
  },
];

/** Seals anything as a request, for what `sealRequest` would never make. */
const sealAs = async (
  payload: object,
  by: Signer,
  to: HelloRecord = hello,
  key = session.publicKey,
  purpose: "request" | "hello" = "request",
) => {
  const info = Buffer.concat([utf8("sallyport/1 request\0"), to.hash]);
  const { enc, ciphertext } = await seal(
    key,
    info,
    Uint8Array.of(KIND.request),
    utf8(await signJws(purpose, payload, by)),
  );
  return b64(encodeRecord(KIND.request, Buffer.concat([enc, ciphertext])));
};
const staleHello = await buildHello({ ...helloPayload, challenge: b64(randomBytes(32)) }, agentSigner);
const requestCases: Case[] = [
  { name: "genuine", expect: "ok", record: b64(sealed.record) },
  { name: "encapsulated secret altered", expect: "protocol.integrity", record: b64(flip(sealed.record, 5)) },
  { name: "ciphertext altered", expect: "protocol.integrity", record: b64(flip(sealed.record, 1200)) },
  { name: "tag altered", expect: "protocol.integrity", record: b64(flip(sealed.record, -1)) },
  { name: "truncated", expect: "protocol.integrity", record: b64(sealed.record.subarray(0, -1)) },
  {
    name: "shorter than an encapsulated secret",
    expect: "protocol.integrity",
    record: b64(sealed.record.subarray(0, 1000)),
  },
  {
    name: "sealed to another session's key",
    expect: "protocol.integrity",
    record: await sealAs(requestPayload, orchestratorSigner, hello, otherSession.publicKey),
  },
  {
    name: "sealed for an older hello",
    expect: "protocol.integrity",
    record: await sealAs(requestPayload, orchestratorSigner, staleHello),
  },
  {
    name: "names an older hello",
    expect: "request.refused",
    record: await sealAs({ ...requestPayload, hello: b64(staleHello.hash) }, orchestratorSigner),
  },
  {
    name: "names another agent",
    expect: "request.refused",
    record: await sealAs({ ...requestPayload, agent: "0".repeat(32) }, orchestratorSigner),
  },
  {
    name: "names another site",
    expect: "request.refused",
    record: await sealAs({ ...requestPayload, site: "bergen" }, orchestratorSigner),
  },
  {
    name: "signed by a key that is not pinned",
    expect: "request.refused",
    record: await sealAs(requestPayload, signerOf("ES256", otherOrchestrator)),
  },
  { name: "signed by an agent's key", expect: "request.refused", record: await sealAs(requestPayload, agentSigner) },
  {
    name: "signed for another purpose",
    expect: "request.refused",
    record: await sealAs(requestPayload, orchestratorSigner, hello, session.publicKey, "hello"),
  },
  {
    name: "unknown version",
    expect: "protocol.version",
    record: await sealAs({ ...requestPayload, v: 2 }, orchestratorSigner),
  },
  {
    name: "unknown operation",
    expect: "request.invalid",
    record: await sealAs({ ...requestPayload, operation: { op: "os.exec" } }, orchestratorSigner),
  },
  {
    name: "extra field in the operation",
    expect: "request.invalid",
    record: await sealAs(
      { ...requestPayload, operation: { ...requestPayload.operation, host: "10.0.0.1" } },
      orchestratorSigner,
    ),
  },
  {
    name: "credential of an unknown form",
    expect: "request.invalid",
    record: await sealAs({ ...requestPayload, credential: { form: "file" } }, orchestratorSigner),
  },
  { name: "unknown kind", expect: "protocol.order", record: b64(encodeRecord(7 as never, sealed.record.subarray(1))) },
  {
    name: "a frame in its place",
    expect: "protocol.order",
    record: b64(encodeRecord(KIND.frame, sealed.record.subarray(1))),
  },
  { name: "empty message", expect: "protocol.order", record: "" },
  { name: "oversize", expect: "protocol.order", record: { kind: KIND.request, bytes: 64 * 1024 + 1 } },
];

/** Frames of the agent's direction: type, body, whether it is the last piece. `then` spoils the records. */
type Sent = readonly [FrameType | number, Uint8Array, boolean?];
const sealAll = (frames: readonly Sent[], key: Uint8Array = sealed.keys.toOrchestrator) => {
  const seals = createSealer(key);
  return frames.map(([type, body, last]) => seals(type as FrameType, body, last));
};
const [schema, batch] = [utf8("schema message"), utf8("batch message")];
const checkpoint: Sent = [FRAME.checkpoint, jsonBody({ rows: 1, bytes: batch.length, position: "p1" })];
const end: Sent = [
  FRAME.end,
  jsonBody({ rows: 1, bytes: batch.length, batches: 1, position: "p1", complete: true, executedMs: 5 }),
];
const whole: Sent[] = [
  [FRAME.schema, schema],
  [FRAME.batch, batch.subarray(0, 5), false],
  [FRAME.batch, batch.subarray(5)],
  checkpoint,
  end,
];
const good = sealAll(whole);
const frames = (name: string, expect: string, records: readonly Uint8Array[]): Case => ({
  name,
  expect,
  records: records.map(b64),
});
const frameCases: Case[] = [
  frames("genuine", "ok", good),
  frames(
    "progress and credit between pieces",
    "ok",
    sealAll([
      whole[0]!,
      whole[1]!,
      [FRAME.progress, jsonBody({ rows: 0, bytes: 0 })],
      [FRAME.credit, creditBody(0)],
      whole[2]!,
      end,
    ]),
  ),
  frames(
    "error after a piece",
    "ok",
    sealAll([
      whole[0]!,
      whole[1]!,
      [FRAME.error, jsonBody({ code: "sql.deadlock", message: "m", retryable: true, detail: {} })],
    ]),
  ),
  frames("altered", "protocol.integrity", [good[0]!, flip(good[1]!, 8)]),
  frames("tag altered", "protocol.integrity", [flip(good[0]!, -1)]),
  frames("truncated", "protocol.integrity", [good[0]!.subarray(0, -1)]),
  frames("first dropped", "protocol.integrity", good.slice(1)),
  frames("one dropped", "protocol.integrity", [good[0]!, ...good.slice(2)]),
  frames("repeated", "protocol.integrity", [good[0]!, good[0]!]),
  frames("reordered", "protocol.integrity", [good[0]!, good[2]!, good[1]!]),
  frames("sealed for the other direction", "protocol.integrity", sealAll(whole, sealed.keys.toAgent)),
  frames("a hello in a frame's place", "protocol.order", [good[0]!, encodeRecord(KIND.hello, good[1]!.subarray(1))]),
  frames("shorter than a frame", "protocol.order", [good[0]!.subarray(0, 18)]),
  { name: "oversize", expect: "protocol.order", records: [{ kind: KIND.frame, bytes: 262_164 }] },
  frames("unknown type", "protocol.order", sealAll([[0x15, batch]])),
  frames("unknown flag", "protocol.order", [sealRaw([FRAME.schema, 2], schema)]),
  frames(
    "a flag where none may be",
    "protocol.order",
    sealAll([whole[0]!, [FRAME.progress, jsonBody({ rows: 0, bytes: 0 }), true]]),
  ),
  frames("batch before the schema", "protocol.order", sealAll([[FRAME.batch, batch]])),
  frames("second schema", "protocol.order", sealAll([whole[0]!, whole[0]!])),
  frames("checkpoint inside a batch", "protocol.order", sealAll([whole[0]!, whole[1]!, checkpoint])),
  frames("pieces of two messages mixed", "protocol.order", sealAll([whole[0]!, whole[1]!, [FRAME.result, batch]])),
  frames("end inside a batch", "protocol.order", sealAll([whole[0]!, whole[1]!, end])),
  frames(
    "checkpoint that counts other bytes",
    "protocol.order",
    sealAll([whole[0]!, [FRAME.batch, batch], [FRAME.checkpoint, jsonBody({ rows: 1, bytes: 1, position: "p1" })]]),
  ),
  frames("end that counts other bytes", "protocol.order", sealAll([whole[0]!, end])),
  frames("after the end", "protocol.order", sealAll([...whole, whole[0]!])),
  frames(
    "after an error",
    "protocol.order",
    sealAll([[FRAME.error, jsonBody({ code: "limit.rows", message: "m", retryable: false, detail: {} })], whole[0]!]),
  ),
  frames(
    "error with a code of its own",
    "protocol.order",
    sealAll([[FRAME.error, jsonBody({ code: "agent.pwned", message: "m", retryable: true, detail: {} })]]),
  ),
  frames(
    "error with a control character",
    "protocol.order",
    sealAll([[FRAME.error, jsonBody({ code: "sql.syntax", message: "a\nb", retryable: false, detail: {} })]]),
  ),
  frames(
    "error of 600 characters",
    "protocol.order",
    sealAll([[FRAME.error, jsonBody({ code: "sql.syntax", message: "m".repeat(600), retryable: false, detail: {} })]]),
  ),
  frames(
    "position over 4 KiB",
    "protocol.order",
    sealAll([whole[0]!, [FRAME.checkpoint, jsonBody({ rows: 0, bytes: 0, position: "p".repeat(4097) })]]),
  ),
  frames("body not JSON", "protocol.order", sealAll([[FRAME.progress, utf8("{")]])),
  frames(
    "a frame that only the orchestrator sends",
    "protocol.order",
    sealAll([[FRAME.cancel, jsonBody({ reason: "r" })]]),
  ),
];

/** The direction's first frame, with flags that the sealer would not set. */
function sealRaw(head: readonly [number, number], body: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", sealed.keys.toOrchestrator, Buffer.alloc(12));
  cipher.setAAD(Uint8Array.of(KIND.frame));
  const ciphertext = Buffer.concat([cipher.update(Uint8Array.from(head)), cipher.update(body), cipher.final()]);
  return encodeRecord(KIND.frame, Buffer.concat([ciphertext, cipher.getAuthTag()]));
}

console.log(
  JSON.stringify(
    {
      about:
        "One session of protocol version 1. Bytes are base64url; { kind, bytes } is a record of that many bytes, zero but for its kind. `expect` is ok, or the code of the refusal.",
      agent,
      site,
      challenge,
      identity: { kid: identity.kid, jwk: identity.publicJwk },
      orchestrator: { kid: orchestrator.kid, jwk: orchestrator.publicJwk },
      session: { seed: b64(session.seed), publicKey: b64(session.publicKey) },
      helloHash: b64(hello.hash),
      request: requestPayload,
      keys: { toOrchestrator: b64(sealed.keys.toOrchestrator), toAgent: b64(sealed.keys.toAgent) },
      hello: helloCases,
      requests: requestCases,
      frames: frameCases,
    },
    null,
    1,
  ),
);
