/** What NTLMv2 proves the password by, without sending it [MS-NLMP 3.3.2]. */
import { createHmac } from "node:crypto";
import { md4 } from "./md4.ts";

export const hmacMd5 = (key: Uint8Array, ...pieces: readonly Uint8Array[]): Buffer => {
  const hmac = createHmac("md5", key);
  for (const piece of pieces) hmac.update(piece);
  return hmac.digest();
};

/** The key of this login: as good as its password, so it lives no longer than the sign-in. */
export function responseKey(user: string, domain: string, password: string): Buffer {
  const hash = md4(Buffer.from(password, "utf16le"));
  return hmacMd5(hash, Buffer.from(user.toUpperCase() + domain, "utf16le"));
}

export interface Ntlmv2Response {
  /** The proof, and what it is of. */
  readonly response: Buffer;
  readonly sessionBaseKey: Buffer;
}

/**
 * @param fileTime 8 bytes: 100 ns since 1601, little-endian.
 * @param targetInfo as `encodeTargetInfo` gives it.
 */
export function ntlmv2Response(
  key: Uint8Array,
  serverChallenge: Uint8Array,
  clientChallenge: Uint8Array,
  fileTime: Uint8Array,
  targetInfo: Uint8Array,
): Ntlmv2Response {
  const VERSIONS = Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0);
  const blob = Buffer.concat([VERSIONS, fileTime, clientChallenge, Buffer.alloc(4), targetInfo, Buffer.alloc(4)]);
  const proof = hmacMd5(key, serverChallenge, blob);
  return { response: Buffer.concat([proof, blob]), sessionBaseKey: hmacMd5(key, proof) };
}
