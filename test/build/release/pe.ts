/**
 * Windows' executables (PE32+, https://learn.microsoft.com/windows/win32/debug/pe-format), as far as a release has to know them:
 * what one is for, the signature to take off before it is changed, and the resources that were put in.
 */

/** Fields of the headers that say what an executable is, and two that nobody may set by the clock. */
export interface Pe {
  /** 0x8664: x64. */
  readonly machine: number;
  /** 3: a console program, which a service is too. */
  readonly subsystem: number;
  /** Of the linker; seconds. */
  readonly timestamp: number;
  readonly checksum: number;
  /** Where Authenticode's certificates lie in the file; undefined where there are none. */
  readonly certificates: { readonly at: number; readonly bytes: number } | undefined;
}

const CERTIFICATES = 4;
const RESOURCES = 2;
/** RT_RCDATA */
const RAW_DATA = 10;

/** @throws Error for anything but a PE32+ */
export function readPe(file: Buffer): Pe {
  const { header, optional } = headersOf(file);
  const { address, bytes } = directory(file, CERTIFICATES);
  return {
    machine: file.readUInt16LE(header),
    subsystem: file.readUInt16LE(optional + 68),
    timestamp: file.readUInt32LE(header + 4),
    checksum: file.readUInt32LE(optional + 64),
    // The one directory whose address is a place in the file.
    certificates: bytes === 0 ? undefined : { at: address, bytes },
  };
}

/**
 * Without its Authenticode signature, which would not fit what is put into it; nothing else differs.
 * @throws Error where more than padding follows the signature
 */
export function withoutSignature(file: Buffer): Buffer {
  const { certificates } = readPe(file);
  if (certificates === undefined) return file;
  const { at, bytes } = certificates;
  if (at + bytes !== file.length) throw new Error("something follows the executable's signature");
  const plain = Buffer.from(file.subarray(0, at));
  plain.writeBigUInt64LE(0n, placeOf(plain, CERTIFICATES));
  return plain;
}

/** A resource of raw data by its name; undefined where there is none. */
export function rawResource(file: Buffer, name: string): Buffer | undefined {
  const { address } = directory(file, RESOURCES);
  const root = inFile(file, address);
  const below = (table: number, isWanted: (identity: number) => boolean): number | undefined => {
    const entries = file.readUInt16LE(table + 12) + file.readUInt16LE(table + 14);
    for (let entry = table + 16; entry < table + 16 + 8 * entries; entry += 8)
      // The highest bit says that it is a table, which all but the last are.
      if (isWanted(file.readUInt32LE(entry))) return root + (file.readUInt32LE(entry + 4) & 0x7fff_ffff);
    return undefined;
  };
  const isNamed = (identity: number): boolean => {
    const at = root + (identity & 0x7fff_ffff);
    return identity >= 0x8000_0000 && file.toString("utf16le", at + 2, at + 2 + 2 * file.readUInt16LE(at)) === name;
  };
  const type = below(root, (identity) => identity === RAW_DATA);
  const named = type === undefined ? undefined : below(type, isNamed);
  const data = named === undefined ? undefined : below(named, () => true);
  if (data === undefined) return undefined;
  const start = inFile(file, file.readUInt32LE(data));
  return file.subarray(start, start + file.readUInt32LE(data + 4));
}

function headersOf(file: Buffer): { readonly header: number; readonly optional: number } {
  const at = file.readUInt32LE(0x3c);
  const [header, optional] = [at + 4, at + 24];
  if (file.toString("latin1", at, at + 4) !== "PE\0\0" || file.readUInt16LE(optional) !== 0x20b)
    throw new Error("this is no executable of 64-bit Windows");
  return { header, optional };
}

const placeOf = (file: Buffer, index: number): number => headersOf(file).optional + 112 + 8 * index;

const directory = (file: Buffer, index: number): { readonly address: number; readonly bytes: number } => {
  const at = placeOf(file, index);
  return { address: file.readUInt32LE(at), bytes: file.readUInt32LE(at + 4) };
};

/** Where something that is mapped to an address lies in the file. @throws Error where no section has it */
function inFile(file: Buffer, address: number): number {
  const { header, optional } = headersOf(file);
  const first = optional + file.readUInt16LE(header + 16);
  for (let index = 0; index < file.readUInt16LE(header + 2); index += 1) {
    const section = first + 40 * index;
    const [start, bytes, place] = [12, 16, 20].map((field) => file.readUInt32LE(section + field)) as [
      number,
      number,
      number,
    ];
    if (address >= start && address < start + bytes) return place + address - start;
  }
  throw new Error(`no section holds the address ${address}`);
}
