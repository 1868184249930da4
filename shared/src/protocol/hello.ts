/** The hello: an agent's signed word that this session, this challenge and this one-time key belong together. */
import type { JWK } from "jose";
import { z } from "zod";
import { fromBase64url, sha256, utf8 } from "../crypto/bytes.ts";
import { publicKeyOf, type Signer, signJws, verifyJws } from "../crypto/jws.ts";
import { PUBLIC_KEY_BYTES } from "../crypto/kem.ts";
import { parseJson } from "../json.ts";
import { base64url, nameId, randomId, sha256Text } from "../schema/ids.ts";
import { SallyportError } from "./errors.ts";
import { encodeRecord, expectRecord, KIND } from "./records.ts";

export const PROTOCOL_VERSION = 1;

export const hello = z.object({
  v: z.literal(PROTOCOL_VERSION),
  agent: randomId,
  site: nameId,
  challenge: base64url.length(43),
  /** X-Wing public key of this session. */
  key: base64url.length(Math.ceil((PUBLIC_KEY_BYTES * 4) / 3)),
  iat: z.int(),
  version: z.string().max(64),
  /** SHA-256 of the policy file. */
  policy: sha256Text,
  maskKey: z.string().max(64).nullable(),
  maxSessions: z.int().min(1).max(1000),
  operations: z.array(z.string().max(32)).max(64),
});
export type Hello = z.infer<typeof hello>;

/** A hello as it was sent or received; `hash` is over the whole record. */
export interface HelloRecord {
  readonly hello: Hello;
  readonly record: Uint8Array;
  readonly hash: Buffer;
}

/** A challenge is 32 bytes as base64url: exactly 43 characters that re-encode to themselves. */
export const isChallenge = (text: string): boolean => text.length === 43 && fromBase64url(text)?.byteLength === 32;

export async function buildHello(payload: Hello, signer: Signer): Promise<HelloRecord> {
  const record = encodeRecord(KIND.hello, utf8(await signJws("hello", hello.parse(payload), signer)));
  return { hello: payload, record, hash: sha256(record) };
}

/**
 * Accepts only the hello of exactly this agent, site, key and challenge: a relay could route the connection to another
 * tenant's genuine agent, or replay an old hello.
 * @throws protocol.hello, protocol.order, protocol.version
 */
export async function verifyHello(
  message: Uint8Array,
  expected: {
    readonly agent: string;
    readonly site: string;
    readonly challenge: string;
    readonly identity: JWK;
    readonly kid: string;
    /** The key before, while it is still valid. */
    readonly previous?: { readonly identity: JWK; readonly kid: string } | undefined;
  },
): Promise<HelloRecord> {
  const compact = expectRecord(message, KIND.hello).toString("latin1");
  const verified = await verifyJws(compact, { purpose: "hello", alg: "EdDSA" }, (kid) => {
    const key = [expected, expected.previous].find((each) => each?.kid === kid);
    return key && publicKeyOf(key.identity);
  });
  if (!verified.ok) throw notTheirs(verified.reason);
  const json = parseJson(verified.payload);
  if (isObject(json) && json.v !== PROTOCOL_VERSION) {
    throw new SallyportError(
      "protocol.version",
      `The agent speaks protocol version ${String(json.v)}, not ${PROTOCOL_VERSION}.`,
    );
  }
  const parsed = hello.safeParse(json);
  if (!parsed.success) throw notTheirs("payload");
  for (const name of ["agent", "site", "challenge"] as const) {
    if (parsed.data[name] !== expected[name]) throw notTheirs(name);
  }
  return { hello: parsed.data, record: message, hash: sha256(message) };
}

const notTheirs = (reason: string) =>
  new SallyportError("protocol.hello", "The hello is not of the agent that was dialled, or not for this connection.", {
    reason,
  });

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
