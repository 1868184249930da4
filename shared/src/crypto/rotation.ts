/**
 * An agent's identity rotates by a statement that the old and the new key both sign; the orchestrator's confirmation is
 * signed too, so that nobody on the way can make an agent drop a key that is still its own (docs/protocol.md, "Keys").
 */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { parseJson } from "../json.ts";
import { randomId, sha256Text } from "../schema/ids.ts";
import { ed25519Jwk, thumbprint } from "./identity.ts";
import { publicKeyOf, type Signer, signJws, verifyJws } from "./jws.ts";

/** How long the old key is valid beside the new one, for answers that are lost and hellos that are under way. */
export const OVERLAP_SECONDS = 86_400;

const jws = z.string().max(4096);
/** In a token request's body: one payload, signed twice. */
export const rotation = z.strictObject({ byOld: jws, byNew: jws });
export type Rotation = z.infer<typeof rotation>;

const said = z.object({
  v: z.literal(1),
  agent: randomId,
  aud: z.url(),
  /** `kid` of the old key. */
  from: sha256Text,
  to: ed25519Jwk,
  iat: z.int(),
});
export type RotationSaid = z.infer<typeof said>;

export async function signRotation(
  { agent, aud, to, iat }: Omit<RotationSaid, "v" | "from">,
  old: Signer,
  next: Signer,
): Promise<Rotation> {
  const payload = said.parse({ v: 1, agent, aud, from: old.kid, to, iat });
  return { byOld: await signJws("rotate", payload, old), byNew: await signJws("rotate", payload, next) };
}

/**
 * What a statement says, once both keys have signed the same; undefined otherwise. `old`: the agent's key before, or
 * undefined where that is known no more: then the new one alone is checked, which only repeats what is known.
 */
export async function verifyRotation(
  { byOld, byNew }: Rotation,
  old: { readonly kid: string; readonly key: KeyObject } | undefined,
): Promise<{ readonly said: RotationSaid; readonly kid: string } | undefined> {
  // Its own claim of who it is, which the signature then has to bear out.
  const claimed = said.safeParse(payloadOf(byNew)).data;
  if (claimed === undefined) return undefined;
  const kid = await thumbprint(claimed.to);
  const expected = { purpose: "rotate", alg: "EdDSA" } as const;
  const next = await verifyJws(byNew, expected, (by) => (by === kid ? publicKeyOf(claimed.to) : undefined));
  if (!next.ok) return undefined;
  if (old === undefined) return { said: claimed, kid };
  const before = await verifyJws(byOld, expected, (by) => (by === old.kid ? old.key : undefined));
  if (!before.ok || !before.payload.equals(next.payload) || claimed.from !== old.kid) return undefined;
  return { said: claimed, kid };
}

const payloadOf = (compact: string): unknown => parseJson(Buffer.from(compact.split(".")[1] ?? "", "base64url"));

const confirmed = z.object({ agent: randomId, aud: z.url(), identity: sha256Text });
export type Confirmed = z.infer<typeof confirmed>;

/** The orchestrator's word that `identity` is the agent's key now. */
export const confirmRotation = (of: Confirmed, signer: Signer): Promise<string> =>
  signJws("rotate", confirmed.parse(of), signer);

/** Whether a pinned key of the orchestrator confirms exactly this. */
export async function isConfirmed(
  compact: string,
  expected: Confirmed,
  pinned: (kid: string) => KeyObject | undefined,
): Promise<boolean> {
  const verified = await verifyJws(compact, { purpose: "rotate", alg: "ES256" }, pinned);
  if (!verified.ok) return false;
  const { data } = confirmed.safeParse(payloadOf(compact));
  return data?.agent === expected.agent && data.aud === expected.aud && data.identity === expected.identity;
}
