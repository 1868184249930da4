/** The forms in which a secret text could lie in memory or in a file. */

export interface Needle {
  /** What it is and how it is written: `password, utf16le`. Says nothing of the secret itself. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Every form of a text that is looked for; the text is ASCII, so that latin1 and UTF-8 are one. */
export function encodings(label: string, text: string): Needle[] {
  const narrow = Buffer.from(text, "latin1");
  const wide = Buffer.from(text, "utf16le");
  const forms: Record<string, Buffer> = {
    latin1: narrow,
    utf16le: wide,
    utf16be: Buffer.from(wide).swap16(),
    "tds-scrambled": scramble(wide),
  };
  for (const [name, bytes] of Object.entries({ latin1: narrow, utf16le: wide })) {
    const hex = bytes.toString("hex");
    forms[`hex of ${name}`] = Buffer.from(hex);
    forms[`HEX of ${name}`] = Buffer.from(hex.toUpperCase());
    for (const shift of [0, 1, 2]) {
      const base64 = innerBase64(bytes, shift);
      forms[`base64 of ${name}, shifted by ${shift}`] = Buffer.from(base64);
      const url = base64.replaceAll("+", "-").replaceAll("/", "_");
      if (url !== base64) forms[`base64url of ${name}, shifted by ${shift}`] = Buffer.from(url);
    }
  }
  return Object.entries(forms).map(([name, bytes]) => ({ name: `${label}, ${name}`, bytes }));
}

/** A password in LOGIN7 ([MS-TDS] 2.2.6.4): in each byte of its UTF-16 the nibbles change places, then XOR 0xA5. */
export const scramble = (wide: Uint8Array): Buffer =>
  Buffer.from(wide.map((byte) => (((byte << 4) | (byte >> 4)) & 0xff) ^ 0xa5));

/** The characters of a base64 text that depend on `bytes` alone, where `shift` other bytes (modulo 3) stand before them. */
function innerBase64(bytes: Uint8Array, shift: number): string {
  const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
  const first = Math.ceil((shift * 8) / 6);
  const end = Math.floor((shifted.byteLength * 8) / 6);
  return shifted.toString("base64").slice(first, end);
}
