/** The orchestrator's word to the supervisor that a session's request brings this sealed credential, for this connection. */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { sha256, toBase64url } from "../crypto/bytes.ts";
import { type Signer, signJws, verifyJws } from "../crypto/jws.ts";
import { parseJson } from "../json.ts";
import { nameId, sha256Text } from "../schema/ids.ts";

/** `hello` and `enc` are SHA-256: of the hello's record and of the encapsulated secret's bytes. */
const grant = z.object({ hello: sha256Text, connection: nameId, kid: sha256Text, enc: sha256Text });

export interface Granted {
  /** SHA-256 of the hello record of this session. */
  readonly hello: Uint8Array;
  readonly connection: string;
  /** Of the unseal key. */
  readonly kid: string;
  /** As base64url. */
  readonly enc: string;
}

const claimsOf = ({ hello, connection, kid, enc }: Granted): z.infer<typeof grant> => ({
  hello: toBase64url(hello),
  connection,
  kid,
  enc: toBase64url(sha256(Buffer.from(enc, "base64url"))),
});

export const signGrant = (granted: Granted, signer: Signer): Promise<string> =>
  signJws("grant", grant.parse(claimsOf(granted)), signer);

/** What is wrong with a grant: its signature, or the first claim that is not what is asked for; undefined when it fits. */
export async function grantFault(
  compact: string,
  asked: Granted,
  pinned: (kid: string) => KeyObject | undefined,
): Promise<string | undefined> {
  const verified = await verifyJws(compact, { purpose: "grant", alg: "ES256" }, pinned);
  if (!verified.ok) return verified.reason;
  const claims = grant.safeParse(parseJson(verified.payload));
  if (!claims.success) return "payload";
  const expected = claimsOf(asked);
  return (["hello", "connection", "kid", "enc"] as const).find((name) => claims.data[name] !== expected[name]);
}
