/**
 * An agent's public keys, as it gives them out: the unseal key, which customers seal credentials to, in a statement signed
 * by the agent's identity (docs/protocol.md, "Credentials that the customer seals").
 */
import { z } from "zod";
import { parseJson } from "../json.ts";
import { base64url, nameId, randomId } from "../schema/ids.ts";
import { sha256, toBase64url, utf8 } from "./bytes.ts";
import { ed25519Jwk, thumbprint } from "./identity.ts";
import { publicKeyOf, type Signer, signJws, verifyJws } from "./jws.ts";
import { PUBLIC_KEY_BYTES } from "./kem.ts";

const UNSEAL_ALG = "MLKEM768-X25519";

/** An unseal key's public part, as base64url. */
const unsealPublicKey = base64url.length(Math.ceil((PUBLIC_KEY_BYTES * 4) / 3));

/** The `kid` of an unseal key: RFC 7638 over the JWK of kty `AKP` (draft-ietf-cose-dilithium), whose members are these three. */
export const unsealKid = (publicKey: string): string =>
  toBase64url(sha256(utf8(JSON.stringify({ alg: UNSEAL_ALG, kty: "AKP", pub: publicKey }))));

const statement = z.object({
  v: z.literal(1),
  agent: randomId,
  tenant: nameId,
  site: nameId,
  alg: z.literal(UNSEAL_ALG),
  key: unsealPublicKey,
  iat: z.int(),
});
export type UnsealStatement = z.infer<typeof statement>;

/** What an agent's identity says of its unseal key. `iat`: seconds, for people. */
export const signUnsealKey = (said: Omit<UnsealStatement, "v" | "alg">, identity: Signer): Promise<string> =>
  signJws("unseal", statement.parse({ v: 1, alg: UNSEAL_ALG, ...said }), identity);

/** Undefined unless this very identity signed it, for this purpose. */
export async function verifyUnsealKey(compact: string, identity: unknown): Promise<UnsealStatement | undefined> {
  const jwk = ed25519Jwk.safeParse(identity);
  if (!jwk.success) return undefined;
  const kid = await thumbprint(jwk.data);
  const verified = await verifyJws(compact, { purpose: "unseal", alg: "EdDSA" }, (claimed) =>
    claimed === kid ? publicKeyOf(jwk.data) : undefined,
  );
  if (!verified.ok) return undefined;
  return statement.safeParse(parseJson(verified.payload)).data;
}

/** What `sallyport keys show` writes, and the platform team can list: public, and worth nothing without a fingerprint. */
export const agentKey = z.object({ v: z.literal(1), identity: ed25519Jwk, unseal: z.string().max(8192) });
export type AgentKey = z.infer<typeof agentKey>;

/** The fingerprint that people compare, and what its owner says; undefined where the statement is not the identity's. */
export async function readAgentKey(
  key: AgentKey,
): Promise<{ readonly fingerprint: string; readonly said: UnsealStatement } | undefined> {
  const said = await verifyUnsealKey(key.unseal, key.identity);
  return said === undefined ? undefined : { fingerprint: `SHA256:${await thumbprint(key.identity)}`, said };
}
