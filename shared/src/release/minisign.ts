/**
 * Signatures in minisign's format (https://jedisct1.github.io/minisign/, "Signature format"): Ed25519 over the BLAKE2b-512 of a
 * file, and once more over that signature with its trusted comment. Whoever has `minisign` checks with it what we made, and the
 * other way round. The older kind, over the file itself, is refused: minisign has not made it since 2020.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { equalBytes, sha256 } from "../crypto/bytes.ts";

const KEY_ALGORITHM = "Ed";
const PREHASHED = "ED";
const ID_BYTES = 8;
const SIGNATURE_BYTES = 64;
/** SubjectPublicKeyInfo of Ed25519 (RFC 8410 section 4), without its key. */
const SPKI = Buffer.from("302a300506032b6570032100", "hex");
const SIGNATURE_FILE =
  /^untrusted comment: [^\n]*\n([A-Za-z0-9+/]{99}=)\ntrusted comment: ([^\n\r]{0,1024})\n([A-Za-z0-9+/]{86}==)\n?$/;

export interface MinisignKey {
  /** Chosen by whoever made the key; it only says which key to try. */
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** The second line of a minisign public key file, or the whole file. @throws Error for anything else */
export function readPublicKey(text: string): MinisignKey {
  const bytes = fromBase64(text.trim().split("\n").at(-1) ?? "");
  if (bytes?.length !== 2 + ID_BYTES + 32 || !startsWith(bytes, KEY_ALGORITHM))
    throw new Error("not a minisign public key");
  const key = createPublicKey({ key: Buffer.concat([SPKI, bytes.subarray(10)]), format: "der", type: "spki" });
  return { id: Buffer.from(bytes.subarray(2, 10)), key };
}

/** The public key's line of a private Ed25519 key; its id is the start of the key's SHA-256. */
export function publicKeyLine(privateKey: KeyObject): string {
  const raw = rawPublicKey(privateKey);
  return Buffer.concat([Buffer.from(KEY_ALGORITHM), idOf(raw), raw]).toString("base64");
}

/** The text of a `.minisig` file. @param comment is signed too; one line */
export function signMinisign(content: Uint8Array, privateKey: KeyObject, comment: string): string {
  if (/[\r\n]/.test(comment)) throw new Error("a trusted comment is one line");
  const signature = sign(null, digest(content), privateKey);
  const whole = sign(null, Buffer.concat([signature, Buffer.from(comment)]), privateKey);
  const line = Buffer.concat([Buffer.from(PREHASHED), idOf(rawPublicKey(privateKey)), signature]).toString("base64");
  return `untrusted comment: signature of Sallyport's publisher\n${line}\ntrusted comment: ${comment}\n${whole.toString("base64")}\n`;
}

/** Whether one of the keys made this `.minisig` text over this content, comment and all. Never throws on bad input. */
export function verifyMinisign(content: Uint8Array, signatureFile: string, keys: readonly MinisignKey[]): boolean {
  const [, first = "", comment = "", last = ""] = SIGNATURE_FILE.exec(signatureFile) ?? [];
  const bytes = fromBase64(first);
  const over = fromBase64(last);
  if (bytes?.length !== 2 + ID_BYTES + SIGNATURE_BYTES || !startsWith(bytes, PREHASHED)) return false;
  if (over?.length !== SIGNATURE_BYTES) return false;
  const id = bytes.subarray(2, 10);
  const signature = bytes.subarray(10);
  const known = keys.find((each) => equalBytes(each.id, id));
  if (known === undefined) return false;
  const whole = Buffer.concat([signature, Buffer.from(comment)]);
  return verify(null, digest(content), known.key, signature) && verify(null, whole, known.key, over);
}

/** Strict: the one way of writing these bytes, or undefined. */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

const digest = (content: Uint8Array): Buffer => createHash("blake2b512").update(content).digest();
const idOf = (raw: Uint8Array): Buffer => sha256(raw).subarray(0, ID_BYTES);
const startsWith = (bytes: Buffer, text: string): boolean => bytes.toString("latin1", 0, text.length) === text;
const rawPublicKey = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ format: "der", type: "spki" }).subarray(SPKI.length);
