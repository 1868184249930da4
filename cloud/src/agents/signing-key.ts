/** The orchestrator's signing key, and the statements by which agents learn its public keys. */
import { readFile } from "node:fs/promises";
import type { JWK, Signer } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import {
  privateJwk,
  publicKeysOf,
  ringOf,
  type SigningRing,
  signerOfJwk,
  signingRing,
  statementOf,
} from "./signing-ring.ts";

export interface SigningKey {
  readonly signer: Signer;
  /** Number of the set of keys: agents refuse a lower one than they have seen. */
  readonly seq: number;
  /** The complete set of public keys that agents may trust. */
  readonly keys: readonly JWK[];
  /** A `sallyport-keys+jws` statement over the set, for `origin`. */
  statement(origin: string): Promise<string>;
  /** The statements with a higher number than `seq`, oldest first; each is signed by a key of the one before. */
  chainSince(seq: number): readonly string[];
}

/** Reads a private ES256 JWK, or the file that `sallyportctl signing-key` makes of it. @throws settings.invalid */
export async function loadSigningKey(file: string): Promise<SigningKey> {
  const ring = parseRing(await readJson(file));
  if (ring === undefined)
    throw new SallyportError("settings.invalid", "SALLYPORT_SIGNING_KEY names no private ES256 JWK.", {
      settings: ["SALLYPORT_SIGNING_KEY"],
    });
  return await signingKeyOf(ring);
}

/** Undefined for what is neither a ring nor a key. */
export function parseRing(json: unknown): SigningRing | undefined {
  const key = privateJwk.safeParse(json);
  return key.success ? ringOf(key.data) : signingRing.safeParse(json).data;
}

export async function signingKeyOf(ring: SigningRing, now: () => Date = () => new Date()): Promise<SigningKey> {
  const signer = await signerOfJwk(ring.current);
  return {
    signer,
    seq: ring.seq,
    keys: publicKeysOf(ring),
    statement: (origin) => statementOf(ring, origin, signer, now()),
    chainSince: (seq) => ring.chain.filter((each) => each.seq > seq).map(({ jws }) => jws),
  };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}
