/** uniqueidentifier: text, wire bytes (the first three groups little endian) and SQL Server's own order. */

// SQL Server compares the last group first, then the fourth, third, second and first, by their wire bytes
// (System.Data.SqlTypes.SqlGuid, x_rgiGuidOrder).
const ORDER = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
const TEXT = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** Wire bytes to the sortable form that SQLite keeps. */
export const sortableGuid = (wire: Uint8Array): Uint8Array => Uint8Array.from(ORDER, (at) => wire[at] ?? 0);

export function wireGuid(sortable: Uint8Array): Uint8Array {
  const wire = new Uint8Array(16);
  ORDER.forEach((at, index) => {
    wire[at] = sortable[index] ?? 0;
  });
  return wire;
}

/** Upper-case text with hyphens. */
export function formatGuid(sortable: Uint8Array): string {
  const wire = wireGuid(sortable);
  const hex = Buffer.from(TEXT.map((at) => wire[at] ?? 0))
    .toString("hex")
    .toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Null when the text is no GUID; braces are allowed, and what follows a full GUID is ignored, as SQL Server does. */
export function parseGuid(text: string): Uint8Array | null {
  const match = /^\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})/i.exec(text.trim());
  if (match === null) return null;
  const inText = Buffer.from(match.slice(1).join(""), "hex");
  const wire = new Uint8Array(16);
  TEXT.forEach((at, index) => {
    wire[at] = inText[index] ?? 0;
  });
  return sortableGuid(wire);
}
