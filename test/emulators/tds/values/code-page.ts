/** Text as the bytes of a collation's code page, both ways. */
import type { Collation } from "./type.ts";

// The 32 code points in which Windows-1252 differs from Latin-1 [WHATWG Encoding, index-windows-1252].
const HIGH = new TextDecoder("windows-1252").decode(Uint8Array.from({ length: 32 }, (_, n) => 0x80 + n));
const BYTE_OF = new Map([...HIGH].map((character, n) => [character.charCodeAt(0), 0x80 + n]));

/** Characters outside the code page become `?`, as SQL Server has it. */
export function encodeText(text: string, encoding: Collation["encoding"]): Buffer {
  if (encoding === "utf-8") return Buffer.from(text, "utf8");
  const bytes = Buffer.allocUnsafe(text.length);
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    bytes[n] = code < 0x80 || (code >= 0xa0 && code < 0x100) ? code : (BYTE_OF.get(code) ?? 0x3f);
  }
  return bytes;
}

export function decodeText(bytes: Uint8Array, encoding: Collation["encoding"]): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === "utf-8") return buffer.toString("utf8");
  const text = buffer.toString("latin1");
  return /[\u0080-\u009f]/.test(text)
    ? text.replace(/[\u0080-\u009f]/g, (c) => HIGH.charAt(c.charCodeAt(0) - 0x80))
    : text;
}
