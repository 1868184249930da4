import assert from "node:assert/strict";
import { test } from "node:test";
import { rawResource, readPe, withoutSignature } from "./pe.ts";

const [PE, OPTIONAL, SECTIONS, RSRC, SIGNATURE] = [0x80, 0x98, 0x188, 0x400, 0x600];

/** The least that is a PE32+: one section of resources, holding BLOB as the raw data `NAME`; and a signature at the end. */
function executable(): Buffer {
  const file = Buffer.alloc(SIGNATURE + 16);
  file.writeUInt32LE(PE, 0x3c);
  file.write("PE\0\0", PE);
  for (const [at, value] of [
    [4, 0x8664],
    [6, 1],
    [20, 240],
  ] as const)
    file.writeUInt16LE(value, PE + at);
  file.writeUInt32LE(1_700_000_000, PE + 8);
  file.writeUInt16LE(0x20b, OPTIONAL);
  file.writeUInt32LE(0xabcd, OPTIONAL + 64);
  file.writeUInt16LE(3, OPTIONAL + 68);
  const directory = (index: number, address: number, bytes: number): void => {
    file.writeUInt32LE(address, OPTIONAL + 112 + 8 * index);
    file.writeUInt32LE(bytes, OPTIONAL + 116 + 8 * index);
  };
  directory(2, 0x5000, 0x100);
  directory(4, SIGNATURE, 16);
  file.writeUInt32LE(0x5000, SECTIONS + 12);
  file.writeUInt32LE(0x200, SECTIONS + 16);
  file.writeUInt32LE(RSRC, SECTIONS + 20);
  const table = (at: number, named: number, identity: number, next: number): void => {
    file.writeUInt16LE(named, RSRC + at + 12);
    file.writeUInt16LE(1 - named, RSRC + at + 14);
    file.writeUInt32LE(identity, RSRC + at + 16);
    file.writeUInt32LE(next, RSRC + at + 20);
  };
  table(0, 0, 10, 0x80000020);
  table(0x20, 1, 0x80000080, 0x80000040);
  table(0x40, 0, 1033, 0x60);
  file.writeUInt32LE(0x5090, RSRC + 0x60);
  file.writeUInt32LE(4, RSRC + 0x64);
  file.writeUInt16LE(4, RSRC + 0x80);
  file.write("NAME", RSRC + 0x82, "utf16le");
  file.write("BLOB", RSRC + 0x90);
  file.write("SIGNED, WELL", SIGNATURE);
  return file;
}

test("headers are read, and the signature is found", () => {
  assert.deepEqual(readPe(executable()), {
    ...{ machine: 0x8664, subsystem: 3, timestamp: 1_700_000_000, checksum: 0xabcd },
    certificates: { at: SIGNATURE, bytes: 16 },
  });
});

test("without its signature nothing else differs, and once more changes nothing", () => {
  const file = executable();
  const plain = withoutSignature(file);
  assert.equal(readPe(plain).certificates, undefined);
  file.fill(0, OPTIONAL + 112 + 8 * 4, OPTIONAL + 112 + 8 * 5);
  assert.deepEqual(plain, file.subarray(0, SIGNATURE));
  assert.deepEqual(withoutSignature(plain), plain);
});

test("a resource is found by its name, and another is not there", () => {
  assert.equal(rawResource(executable(), "NAME")?.toString(), "BLOB");
  assert.equal(rawResource(executable(), "NAMF"), undefined);
});

test("what follows a signature, or is no executable of Windows, is refused", () => {
  assert.throws(() => withoutSignature(Buffer.concat([executable(), Buffer.from("more")])), /follows/);
  assert.throws(() => readPe(Buffer.alloc(1024)), /no executable/);
});
