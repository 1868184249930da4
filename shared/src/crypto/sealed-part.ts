/** One agent's part of a sealed credential as it is stored and sent, apart from the library that makes and opens it. */
import { z } from "zod";
import { base64url, sha256Text } from "../schema/ids.ts";
import { ENC_BYTES } from "./kem.ts";

/** Of AES-256-GCM. */
export const TAG_BYTES = 16;
const MAX_CIPHERTEXT_BYTES = 8192;

/** `kid`: the unseal key that it is sealed to. */
export const sealedPart = z.strictObject({
  kid: sha256Text,
  enc: base64url.length(Math.ceil((ENC_BYTES * 4) / 3)),
  ciphertext: base64url.min(TAG_BYTES).max(Math.ceil((MAX_CIPHERTEXT_BYTES * 4) / 3)),
});
export type SealedPart = z.infer<typeof sealedPart>;
