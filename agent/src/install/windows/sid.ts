/** Security identifiers of Windows accounts (MS-DTYP 2.4.2), as text. */
import { createHash } from "node:crypto";

export const SYSTEM_SID = "S-1-5-18";
export const ADMINISTRATORS_SID = "S-1-5-32-544";
/** Whoever owns a file at the time: without an entry for it, an owner may always rewrite the list. */
export const OWNER_RIGHTS_SID = "S-1-3-4";

/**
 * A service's own SID, which Windows makes of its name: SHA-1 over the name in capitals, as UTF-16LE, in five little-endian words
 * (learn.microsoft.com, "Service security identifiers"). A service that asks for it has it under whatever account it runs.
 */
export function serviceSid(service: string): string {
  const sum = createHash("sha1").update(Buffer.from(service.toUpperCase(), "utf16le")).digest();
  return ["S-1-5-80", ...[0, 4, 8, 12, 16].map((at) => sum.readUInt32LE(at))].join("-");
}

/** Windows' own installer, whose Program Files are. */
export const TRUSTED_INSTALLER_SID: string = serviceSid("TrustedInstaller");

const HEADER_BYTES = 8;

/** A SID in binary, as calls want it. @throws Error where the text is none */
export function sidBytes(text: string): Buffer {
  const [, authority, ...parts] = /^S-1-\d+(?:-\d+){1,15}$/.test(text) ? text.split("-").slice(1).map(Number) : [];
  if (authority === undefined) throw new Error(`not a SID: ${text}`);
  const bytes = Buffer.alloc(HEADER_BYTES + 4 * parts.length);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(parts.length, 1);
  bytes.writeUIntBE(authority, 2, 6);
  for (const [index, part] of parts.entries()) bytes.writeUInt32LE(part, HEADER_BYTES + 4 * index);
  return bytes;
}

/** The text of a binary SID (MS-DTYP 2.4.2.2). @throws Error where the bytes are none */
export function sidText(bytes: Uint8Array): string {
  const [revision, count = 0] = bytes;
  if (revision !== 1 || count > 15 || bytes.length < HEADER_BYTES + 4 * count) throw new Error("not a SID");
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = Array.from({ length: count }, (_, index) => view.readUInt32LE(HEADER_BYTES + 4 * index));
  return ["S", 1, view.readUIntBE(2, 6), ...parts].join("-");
}
