/** Small byte primitives: base64url that round-trips, SHA-256, constant-time comparison. */
import { createHash, timingSafeEqual } from "node:crypto";

export const utf8 = (text: string): Buffer => Buffer.from(text, "utf8");

export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/** Strict: only the unpadded canonical form (RFC 4648 section 5) decodes; anything else is undefined. */
export function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/** SHA-256 over the parts in order. */
export function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
