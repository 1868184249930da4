/** Names that a Windows Installer package derives from others: stable ids and names for FAT. Pure. */
import { createHash } from "node:crypto";

/** Of all of Sallyport's ids; drawn once. Another one would make every installation a stranger to its next version. */
const NAMESPACE = Buffer.from("5c0f0b0e6f3c4f0c9d5b1f6f2a9b7d41", "hex");

/** A name-based UUID (RFC 9562, section 5.5: version 5), in capitals and without braces. */
export function uuidOf(...names: readonly string[]): string {
  const hash = createHash("sha1").update(NAMESPACE).update(names.join("\0")).digest().subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const digits = hash.toString("hex").toUpperCase();
  return [0, 8, 12, 16, 20].map((at, index, all) => digits.slice(at, all[index + 1])).join("-");
}

/** The name as the tables want it: itself where it fits eight and three letters, else `SHORT|long`. */
export function installerName(name: string): string {
  if (/^[A-Za-z0-9_]{1,8}(\.[A-Za-z0-9_]{1,3})?$/.test(name)) return name;
  const dot = name.lastIndexOf(".");
  const isExtension = /^\.[A-Za-z]+$/.test(name.slice(dot));
  const [base, extension] = isExtension ? [name.slice(0, dot), name.slice(dot + 1)] : [name, ""];
  const letters = (text: string, most: number) => text.replaceAll(/[^A-Za-z0-9]/g, "").slice(0, most);
  const short = [letters(base, 8), letters(extension, 3)].filter((part) => part !== "").join(".");
  return `${short.toUpperCase()}|${name}`;
}

/** Three numbers, as far as Windows Installer compares them. @throws for a version that it would not tell from another */
export function productVersion(version: string): string {
  const parts = /^(\d+)\.(\d+)\.(\d+)$/.exec(version)?.slice(1).map(Number);
  const most = [255, 255, 65_535];
  if (parts === undefined || parts.some((part, at) => part > most[at]!))
    throw new Error(`Windows Installer cannot have the version ${version}`);
  return version;
}
