/** A zip (APPNOTE 6.3) as Azure Functions takes it for a deployment: deflated files, Unix modes, one time for all. */
import { crc32, deflateRawSync } from "node:zlib";
import { complete, type Entry } from "./entries.ts";

/** @param epochSeconds after 1980, where the format's time begins; its steps are two seconds */
export function zip(entries: readonly Entry[], epochSeconds: number): Buffer {
  const files = complete(entries).filter((entry) => entry.kind === "file");
  const [locals, centrals]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const { path, bytes, mode } of files) {
    const name = Buffer.from(path);
    const data = deflateRawSync(bytes, { level: 9 });
    // Version 2.0, names in UTF-8, deflate; no extra fields.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(dosTime(epochSeconds), 6);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    locals.push(Buffer.from("PK\x03\x04", "latin1"), common, name, data);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((0o100000 | mode) << 16) >>> 0, 6);
    tail.writeUInt32LE(at, 10);
    // Made by Unix (3), so that the modes count.
    centrals.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, tail, name);
    at += 30 + name.length + data.length;
  }
  const central = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, central, end]);
}

function dosTime(epochSeconds: number): number {
  const time = new Date(epochSeconds * 1000);
  const date = ((time.getUTCFullYear() - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  return date * 0x10000 + clock;
}
