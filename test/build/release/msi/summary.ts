/** The two times in a package's summary, which its writer takes from the clock and no option changes. */

/** FMTID_SummaryInformation, as it stands in a property set ([MS-OLEPS] 2.21 and 3.1). */
const FMTID = Buffer.from("e0859ff2f94f6810ab9108002b27b3d9", "hex");
const CREATED = 12;
const LAST_SAVED = 13;
const VT_FILETIME = 64;
/** Of a property set's head before its first FMTID: byte order, version, system, class, count. */
const HEAD = 28;

/** Sets both in place. @throws where the bytes hold not exactly one summary with both */
export function setSummaryTimes(msi: Buffer, epochSeconds: number): void {
  const at = msi.indexOf(FMTID);
  if (at < HEAD || msi.indexOf(FMTID, at + 1) >= 0) throw new Error("the package has not one summary");
  const start = at - HEAD;
  if (msi.readUInt16LE(start) !== 0xfffe) throw new Error("the package's summary has another byte order");
  const section = start + msi.readUInt32LE(at + FMTID.length);
  const count = msi.readUInt32LE(section + 4);
  if (count > 64) throw new Error("the package's summary is damaged");
  const places = new Map<number, number>();
  for (let index = 0; index < count; index += 1) {
    const entry = section + 8 + 8 * index;
    places.set(msi.readUInt32LE(entry), section + msi.readUInt32LE(entry + 4));
  }
  for (const property of [CREATED, LAST_SAVED]) {
    const place = places.get(property);
    if (place === undefined || msi.readUInt32LE(place) !== VT_FILETIME)
      throw new Error("the package's summary lacks a time");
    msi.writeBigUInt64LE(fileTime(epochSeconds), place + 4);
  }
}

/** Steps of 100 ns since 1601. */
const fileTime = (epochSeconds: number): bigint => (BigInt(epochSeconds) + 11_644_473_600n) * 10_000_000n;
