import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setSummaryTimes } from "./summary.ts";
import { fileVersion } from "./version-resource.ts";

/** A version resource as it stands in a program: head of six bytes, key, padding, VS_FIXEDFILEINFO. */
function resource([a, b, c, d]: readonly [number, number, number, number], signature = 0xfeef04bd): Buffer {
  const key = Buffer.from("VS_VERSION_INFO\0", "utf16le");
  const bytes = Buffer.alloc(6 + key.length + 2 + 52);
  key.copy(bytes, 6);
  const info = 6 + key.length + 2;
  bytes.writeUInt32LE(signature, info);
  bytes.writeUInt32LE(0x10000, info + 4);
  bytes.writeUInt32LE(a * 0x10000 + b, info + 8);
  bytes.writeUInt32LE(c * 0x10000 + d, info + 12);
  return bytes;
}

describe("the version that a Windows program says of itself", () => {
  const before = Buffer.alloc(64, 0xcc);
  it("is read, wherever it stands", () => {
    assert.equal(fileVersion(Buffer.concat([before, resource([24, 21, 0, 7])])), "24.21.0.7");
    assert.equal(fileVersion(Buffer.concat([before, resource([1, 65_535, 2, 3]), before])), "1.65535.2.3");
  });
  it("is none where there is no resource, or only its key", () => {
    assert.equal(fileVersion(before), undefined);
    assert.equal(fileVersion(Buffer.concat([before, resource([1, 2, 3, 4], 7)])), undefined);
    assert.equal(fileVersion(Buffer.concat([before, resource([1, 2, 3, 4]).subarray(0, 42)])), undefined);
  });
  it("is one where a tool left the old resources behind, and refused where two differ", () => {
    assert.equal(fileVersion(Buffer.concat([resource([1, 2, 3, 4]), before, resource([1, 2, 3, 4])])), "1.2.3.4");
    assert.throws(() => fileVersion(Buffer.concat([resource([1, 2, 3, 4]), resource([1, 2, 3, 5])])), /2 versions/);
  });
});

/** A property set with these times, as [MS-OLEPS] lays it out. */
function summary(types: Readonly<Record<number, number>>): Buffer {
  const properties = Object.entries(types);
  const section = Buffer.alloc(8 + properties.length * 20);
  section.writeUInt32LE(section.length, 0);
  section.writeUInt32LE(properties.length, 4);
  properties.forEach(([id, type], index) => {
    const value = 8 + properties.length * 8 + index * 12;
    section.writeUInt32LE(Number(id), 8 + index * 8);
    section.writeUInt32LE(value, 8 + index * 8 + 4);
    section.writeUInt32LE(type, value);
    section.writeBigUInt64LE(7n, value + 4);
  });
  const head = Buffer.alloc(48);
  head.writeUInt16LE(0xfffe, 0);
  head.writeUInt32LE(1, 24);
  head.write("e0859ff2f94f6810ab9108002b27b3d9", 28, "hex");
  head.writeUInt32LE(48, 44);
  return Buffer.concat([Buffer.alloc(512, 0x11), head, section, Buffer.alloc(64, 0x11)]);
}

describe("the times of a package's summary", () => {
  it("become the given one, and nothing else changes", () => {
    const [bytes, before] = [summary({ 12: 64, 13: 64 }), summary({ 12: 64, 13: 64 })];
    setSummaryTimes(bytes, 0);
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== before[at]);
    // 1970 in steps since 1601: 0x019db1ded53e8000.
    assert.equal(bytes.readBigUInt64LE(changed[0]!), 0x019db1ded53e8000n);
    assert.ok(changed.length <= 16 && changed.at(-1)! - changed[0]! < 20);
  });
  it("are not looked for in anything but one whole summary", () => {
    const good = summary({ 12: 64, 13: 64 });
    assert.throws(() => setSummaryTimes(Buffer.alloc(600), 0), /not one summary/);
    assert.throws(() => setSummaryTimes(Buffer.concat([good, good]), 0), /not one summary/);
    assert.throws(() => setSummaryTimes(summary({ 12: 64 }), 0), /lacks a time/);
    assert.throws(() => setSummaryTimes(summary({ 12: 64, 13: 3 }), 0), /lacks a time/);
  });
});
