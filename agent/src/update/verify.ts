/** The two signatures of a release: its publisher's over the manifest, and the orchestrator's over its statement of that manifest. */
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { manifest, updateStatement } from "@sallyport/shared/release/manifest.ts";
import { readPublicKey, verifyMinisign } from "@sallyport/shared/release/minisign.ts";
import { keysByKid } from "../pinning.ts";
import type { Pinned } from "../state.ts";
import type { Release } from "./decide.ts";

/** As they came, to the byte. */
export interface SignedRelease {
  readonly manifest: Uint8Array;
  readonly signature: string;
  readonly statement: string;
}

/** Nothing of it is believed by whoever has no verified one. */
export type VerifiedRelease = Release & { readonly signed: SignedRelease };

export type Verification =
  | { readonly ok: true; readonly release: VerifiedRelease }
  | { readonly ok: false; readonly why: string };

/** @param releaseKeys the publisher's public keys, in minisign's text form */
export async function verifyRelease(
  signed: SignedRelease,
  releaseKeys: readonly string[],
  pinned: Pick<Pinned, "keys">,
): Promise<Verification> {
  if (releaseKeys.length === 0) return no("this program was built without a publisher's key, so it takes no update");
  if (!verifyMinisign(signed.manifest, signed.signature, releaseKeys.map(readPublicKey)))
    return no("the manifest is not signed by a publisher's key that this program knows");
  const said = manifest.safeParse(parseJson(signed.manifest));
  if (!said.success) return no("the manifest does not fit its schema");
  const byKid = await keysByKid(pinned.keys);
  const stated = await verifyJws(signed.statement, { purpose: "update", alg: "ES256" }, (kid) => byKid.get(kid));
  if (!stated.ok) return no(`the statement is not signed by a pinned key of the orchestrator (${stated.reason})`);
  const statement = updateStatement.safeParse(parseJson(stated.payload));
  if (!statement.success) return no("the statement does not fit its schema");
  if (statement.data.manifest !== toBase64url(sha256(signed.manifest)))
    return no("the statement is about another manifest");
  return { ok: true, release: { manifest: said.data, statement: statement.data, signed } };
}

const no = (why: string): Verification => ({ ok: false, why });
