/** The list that a server describes itself by, and the client answers with [MS-NLMP 2.2.2.1]. */

/** Types of its entries. */
export const AV = { end: 0, flags: 6, timestamp: 7, targetName: 9, channelBindings: 10 } as const;
/** In `flags`: the authenticate message has a MIC. */
export const HAS_MIC = 0x2;

export interface AvPair {
  readonly id: number;
  readonly value: Buffer;
}

/** Without the one that ends it; undefined for what is no such list. */
export function parseTargetInfo(bytes: Buffer): AvPair[] | undefined {
  const pairs: AvPair[] = [];
  for (let at = 0; at + 4 <= bytes.byteLength; ) {
    const id = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (id === AV.end) return length === 0 ? pairs : undefined;
    const start = at + 4;
    if (start + length > bytes.byteLength) return undefined;
    pairs.push({ id, value: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return undefined;
}

export function encodeTargetInfo(pairs: readonly AvPair[]): Buffer {
  const pieces = [...pairs, { id: AV.end, value: Buffer.alloc(0) }].flatMap(({ id, value }) => {
    const header = Buffer.alloc(4);
    header.writeUInt16LE(id, 0);
    header.writeUInt16LE(value.byteLength, 2);
    return [header, value];
  });
  return Buffer.concat(pieces);
}

export const avValue = (pairs: readonly AvPair[], id: number): Buffer | undefined =>
  pairs.find((pair) => pair.id === id)?.value;

/** @param channelBindingHash MD5 of the channel binding structure; zeros where there is none [MS-NLMP 3.1.5.1.2]. */
export function answeredTargetInfo(
  offered: readonly AvPair[],
  servicePrincipal: string,
  channelBindingHash: Uint8Array | undefined,
): AvPair[] {
  const ours: readonly number[] = [AV.flags, AV.targetName, AV.channelBindings];
  const flags = Buffer.alloc(4);
  const before = avValue(offered, AV.flags);
  flags.writeUInt32LE(((before?.byteLength === 4 ? before.readUInt32LE() : 0) | HAS_MIC) >>> 0);
  return [
    ...offered.filter(({ id }) => !ours.includes(id)),
    { id: AV.flags, value: flags },
    { id: AV.channelBindings, value: Buffer.from(channelBindingHash ?? new Uint8Array(16)) },
    { id: AV.targetName, value: Buffer.from(servicePrincipal, "utf16le") },
  ];
}
