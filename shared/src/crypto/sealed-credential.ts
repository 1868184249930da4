/**
 * A credential that the customer sealed to one agent's unseal key: whoever stores and forwards it cannot open it. Sealing
 * and opening the text are apart from each other's keys: the supervisor turns `enc` into a key and never sees the text,
 * the executor opens the text and never sees the unseal key (docs/protocol.md, "Credentials that the customer seals").
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { z } from "zod";
import { unsealKid } from "./agent-key.ts";
import { fromBase64url, toBase64url, utf8 } from "./bytes.ts";
import { sendExport } from "./envelope.ts";
import { type SealedPart, TAG_BYTES } from "./sealed-part.ts";

const IV = Buffer.alloc(12);
/** The text is filled up to a multiple of this with spaces, so that its length does not tell the password's. */
const STEP_BYTES = 512;
/** Lists of such words grow with versions; what opens them knows which it takes. */
const word = z.string().regex(/^[A-Za-z]{1,32}$/);

/** The target is part of it, so a credential cannot be led elsewhere: it must equal the policy's entry. */
const credentialText = z.strictObject({
  user: z.string().min(1).max(256),
  password: z.string().min(1).max(1024),
  /** A word of the policy's `signIn`. */
  signIn: word,
  kind: word,
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535),
  /** Null for a kind of system that has none. */
  database: z.string().max(128).nullable(),
  /** The policy's `tls.mode`. */
  tls: word,
});
export type CredentialText = z.infer<typeof credentialText>;

/** Whose credential it is; `info` of the sealing. */
export interface SealedFor {
  readonly tenant: string;
  readonly site: string;
  readonly connection: string;
}

/** Each of the four preceded by its length in bytes as u16 big-endian, so that no two of them share their bytes. */
export function infoOf({ tenant, site, connection }: SealedFor): Buffer {
  const parts = ["sallyport/1 credential", tenant, site, connection].map(utf8);
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(part.byteLength);
      return [length, part];
    }),
  );
}

/** Seals to one agent's unseal key, a base64url public key. */
export async function sealCredential(text: CredentialText, of: SealedFor, publicKey: string): Promise<SealedPart> {
  const bytes = utf8(JSON.stringify(credentialText.parse(text)));
  const filled = Buffer.alloc(Math.ceil(bytes.byteLength / STEP_BYTES) * STEP_BYTES, " ");
  bytes.copy(filled);
  const sent = await sendExport(fromBase64url(publicKey) ?? Buffer.alloc(0), infoOf(of));
  // The IV may be fixed because the key is used once.
  const cipher = createCipheriv("aes-256-gcm", sent.key, IV).setAAD(sent.enc);
  const ciphertext = Buffer.concat([cipher.update(filled), cipher.final(), cipher.getAuthTag()]);
  for (const used of [bytes, filled, sent.key]) used.fill(0);
  return { kid: unsealKid(publicKey), enc: toBase64url(sent.enc), ciphertext: toBase64url(ciphertext) };
}

/** Opens the text with the key that the supervisor gave for its `enc`; undefined when it does not fit, or is no credential. */
export function openCredential(
  key: Uint8Array,
  part: Pick<SealedPart, "enc" | "ciphertext">,
): CredentialText | undefined {
  const bytes = Buffer.from(part.ciphertext, "base64url");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, IV, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(part.enc, "base64url"))
      .setAuthTag(bytes.subarray(bytes.byteLength - TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(0, bytes.byteLength - TAG_BYTES)), decipher.final()]);
    return credentialText.safeParse(JSON.parse(text.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
