/** The files of a zip (APPNOTE 6.3), deflated or stored, each held against its checksum. */
import { crc32, inflateRawSync } from "node:zlib";

const [END, CENTRAL] = [0x06054b50, 0x02014b50];
const END_BYTES = 22;
const DEFLATED = 8;

/** @throws Error for what is no zip, and for a file that is not what its entry says */
export function unzipped(zip: Buffer): Map<string, Buffer> {
  // Ours have no comment after it.
  const end = zip.length - END_BYTES;
  if (zip.readUInt32LE(end) !== END) throw new Error("this is no zip, or one with a comment");
  const files = new Map<string, Buffer>();
  let at = zip.readUInt32LE(end + 16);
  for (let count = zip.readUInt16LE(end + 10); count > 0; count -= 1) {
    if (zip.readUInt32LE(at) !== CENTRAL) throw new Error("the zip's directory is broken");
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field)) as Three;
    const name = zip.toString("utf8", at + 46, at + 46 + nameBytes);
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
    const bytes = zip.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(packed) : Buffer.from(packed);
    if (crc32(bytes) !== zip.readUInt32LE(at + 16)) throw new Error(`${name} is not what its entry says`);
    files.set(name, bytes);
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return files;
}

type Three = [number, number, number];
