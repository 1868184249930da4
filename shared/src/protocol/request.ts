/** The one request of a session: signed by the orchestrator, then encrypted to the key in the agent's hello. */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { fromBase64url, toBase64url, utf8 } from "../crypto/bytes.ts";
import { open, type SessionKey, type StreamKeys, seal } from "../crypto/envelope.ts";
import { type Signer, signJws, verifyJws } from "../crypto/jws.ts";
import { ENC_BYTES } from "../crypto/kem.ts";
import { sealedPart } from "../crypto/sealed-part.ts";
import { parseJson } from "../json.ts";
import { nameId, randomId, sha256Text } from "../schema/ids.ts";
import { limits, operation } from "../schema/operations.ts";
import { SallyportError } from "./errors.ts";
import { type HelloRecord, PROTOCOL_VERSION } from "./hello.ts";
import { encodeRecord, expectRecord, KIND } from "./records.ts";

/** Seconds between hello and request, on the agent's monotonic clock. */
export const REQUEST_FRESH_SECONDS = 30;
/** First credit that a request gives the agent, in record bytes. */
export const DEFAULT_WINDOW_BYTES: number = 4 * 2 ** 20;
export const MAX_WINDOW_BYTES: number = 64 * 2 ** 20;

export const plainCredential = z.strictObject({
  form: z.literal("plain"),
  user: z.string().min(1).max(256),
  password: z.string().min(1).max(1024),
  /** A word of the policy's `signIn`, for whichever kind of system. */
  signIn: z.enum(["sql", "windowsNtlm", "simple", "negotiate", "ntlm"]),
});
export type PlainCredential = z.infer<typeof plainCredential>;
/** Sealed by the customer to this agent; `grant` is for its supervisor (`grant.ts`). */
const sealedCredential = sealedPart.extend({ form: z.literal("sealed"), grant: z.string().max(4096) });
export type SealedCredential = z.infer<typeof sealedCredential>;
const credential = z.discriminatedUnion("form", [plainCredential, sealedCredential]);

export const request = z.object({
  v: z.literal(PROTOCOL_VERSION),
  id: randomId,
  /** SHA-256 of the hello record that this request answers. */
  hello: sha256Text,
  agent: randomId,
  site: nameId,
  tenant: nameId,
  /** A name in the owner's policy; null for agent.ping. */
  connection: nameId.nullable(),
  caller: z.string().regex(/^(pull|key|app|canary):[A-Za-z0-9_.-]{1,80}$/),
  pull: nameId.optional(),
  run: z.string().max(120).optional(),
  iat: z.int(),
  operation,
  credential: credential.nullable(),
  limits,
  /** First credit of the agent, in record bytes. */
  window: z
    .int()
    .min(2 ** 20)
    .max(MAX_WINDOW_BYTES),
  traceparent: z
    .string()
    .regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    .optional(),
});
export type SessionRequestPayload = z.infer<typeof request>;

const AAD = Uint8Array.of(KIND.request);
const infoOf = (helloHash: Uint8Array): Buffer => Buffer.concat([utf8("sallyport/1 request\0"), helloHash]);

/** Signs and seals; the stream keys are known to the one session whose hello this answers. */
export async function sealRequest(
  payload: SessionRequestPayload,
  hello: HelloRecord,
  signer: Signer,
): Promise<{ record: Buffer; keys: StreamKeys }> {
  const jws = utf8(await signJws("request", payload, signer));
  const publicKey = fromBase64url(hello.hello.key);
  if (publicKey === undefined)
    throw new SallyportError("protocol.hello", "The hello's key is not base64url.", { reason: "key" });
  const { enc, ciphertext, keys } = await seal(publicKey, infoOf(hello.hash), AAD, jws);
  const record = encodeRecord(KIND.request, Buffer.concat([enc, ciphertext]));
  expectRecord(record, KIND.request);
  return { record, keys };
}

/**
 * Opens the request in the order that the vectors fix: decrypt once → verify signature, purpose and key → hello, agent,
 * site → export the two stream keys. The caller drops the session key afterwards, whatever the answer.
 * @throws protocol.order, protocol.integrity, request.refused, protocol.version, request.invalid
 */
export async function openRequest(
  message: Uint8Array,
  sessionKey: SessionKey,
  hello: { readonly hash: Uint8Array; readonly agent: string; readonly site: string },
  pinned: (kid: string) => KeyObject | undefined,
): Promise<{ request: SessionRequestPayload; keys: StreamKeys }> {
  const body = expectRecord(message, KIND.request);
  if (body.byteLength <= ENC_BYTES) throw new SallyportError("protocol.integrity", "The request is too short.");
  const opened = await open(sessionKey, body.subarray(0, ENC_BYTES), infoOf(hello.hash), AAD, body.subarray(ENC_BYTES));
  if (opened === undefined)
    throw new SallyportError("protocol.integrity", "The request was not sealed to this session, or was altered.");
  const verified = await verifyJws(
    Buffer.from(opened.plaintext).toString("latin1"),
    { purpose: "request", alg: "ES256" },
    pinned,
  );
  if (!verified.ok) {
    throw new SallyportError("request.refused", "The request's signature is not by a pinned key of the orchestrator.", {
      reason: verified.reason,
    });
  }
  const json = parseJson(verified.payload) as Record<string, unknown> | undefined;
  const bound = { hello: toBase64url(hello.hash), agent: hello.agent, site: hello.site };
  for (const [name, value] of Object.entries(bound)) {
    if (json?.[name] !== value)
      throw new SallyportError("request.refused", "The request was made for another session.", { reason: name });
  }
  if (json?.v !== PROTOCOL_VERSION) {
    throw new SallyportError(
      "protocol.version",
      `The orchestrator speaks protocol version ${String(json?.v)}, not ${PROTOCOL_VERSION}.`,
    );
  }
  const keys = await opened.exportKeys();
  const parsed = request.safeParse(json);
  if (!parsed.success) throw new InvalidRequest(parsed.error, keys);
  return { request: parsed.data, keys };
}

/** A genuine request that this agent cannot serve; it carries the keys, so that the refusal can be sent sealed. */
export class InvalidRequest extends SallyportError {
  readonly keys: StreamKeys;
  constructor(error: z.ZodError, keys: StreamKeys) {
    const fields = error.issues.slice(0, 8).map((issue) => issue.path.join("."));
    super("request.invalid", "The request does not fit this agent's schema.", { fields });
    this.keys = keys;
  }
}
