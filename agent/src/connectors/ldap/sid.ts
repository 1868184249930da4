/** Security identifiers and GUIDs as a directory stores them, as text. Pure. */

/** `S-1-5-21-…` [MS-DTYP 2.4.2]; undefined for bytes that are none. */
export function sidText(bytes: Uint8Array): string | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view[1];
  if (view[0] !== 1 || count === undefined || count > 15 || view.length !== 8 + count * 4) return undefined;
  const parts = [view.readUIntBE(2, 6)];
  for (let at = 8; at < view.length; at += 4) parts.push(view.readUInt32LE(at));
  return `S-1-${parts.join("-")}`;
}

/** Where each byte of the text's order stands: the first three groups are little-endian [MS-DTYP 2.3.4.2]. */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** `01234567-89ab-…` in lower case; undefined for other than 16 bytes. */
export function guidText(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 16) return undefined;
  const hex = Buffer.from(GUID_ORDER.map((at) => bytes[at]!)).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The stored bytes of a GUID's text, which was checked to be one. */
export function guidBytes(text: string): Buffer {
  const plain = Buffer.from(text.replaceAll("-", ""), "hex");
  return Buffer.from(GUID_ORDER.map((at) => plain[at]!));
}

/** The stored bytes of `S-1-5-21-…`; undefined for a text that is none. */
export function sidBytes(text: string): Buffer | undefined {
  const [, authority, rest = ""] = /^S-1-([0-9]{1,14})((?:-[0-9]{1,10}){0,15})$/.exec(text) ?? [];
  const parts = rest.split("-").slice(1).map(Number);
  if (authority === undefined || Number(authority) >= 2 ** 48 || parts.some((part) => part >= 2 ** 32))
    return undefined;
  const bytes = Buffer.alloc(8 + parts.length * 4);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(parts.length, 1);
  bytes.writeUIntBE(Number(authority), 2, 6);
  for (const [index, part] of parts.entries()) bytes.writeUInt32LE(part, 8 + index * 4);
  return bytes;
}
