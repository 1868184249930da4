/** The version that a Windows program says of itself. */

const KEY = Buffer.from("VS_VERSION_INFO\0", "utf16le");
const SIGNATURE = 0xfeef04bd;

/**
 * `a.b.c.d` from a file's version resource (VS_VERSIONINFO: a key, padding to four bytes, VS_FIXEDFILEINFO); undefined where it
 * has none. A tool that adds a resource may leave the old ones behind. @throws where two are there that differ
 */
export function fileVersion(bytes: Buffer): string | undefined {
  const found = new Set<string>();
  for (let at = bytes.indexOf(KEY); at >= 0; at = bytes.indexOf(KEY, at + 1)) {
    // The key stands six bytes into its block, and blocks begin at multiples of four.
    const info = at + KEY.length + ((4 - ((6 + KEY.length) % 4)) % 4);
    if (info + 16 > bytes.length || bytes.readUInt32LE(info) !== SIGNATURE) continue;
    const [most, least] = [bytes.readUInt32LE(info + 8), bytes.readUInt32LE(info + 12)];
    found.add([most >>> 16, most & 0xffff, least >>> 16, least & 0xffff].join("."));
  }
  if (found.size > 1) throw new Error(`the file has ${found.size} versions: ${[...found].join(", ")}`);
  return [...found][0];
}
