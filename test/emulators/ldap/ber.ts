/** BER as LDAP uses it [RFC 4511 5.1], as a tree: read whole, written from the inside out. Not the product's reader, on purpose. */

export interface Node {
  readonly tag: number;
  readonly content: Buffer;
  /** Of a constructed element. */
  readonly children: readonly Node[];
}

/** The first element, and how many bytes it takes; undefined where more has to come. @throws RangeError for what is no BER */
export function parse(bytes: Buffer): { readonly node: Node; readonly bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const tag = bytes[0]!;
  let length = bytes[1]!;
  let at = 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4) throw new RangeError("a length of another form");
    if (bytes.length < 2 + count) return undefined;
    length = bytes.readUIntBE(2, count);
    at += count;
  }
  if (bytes.length < at + length) return undefined;
  const content = bytes.subarray(at, at + length);
  return { node: { tag, content, children: (tag & 0x20) === 0 ? [] : parseAll(content) }, bytes: at + length };
}

function parseAll(content: Buffer): Node[] {
  const nodes: Node[] = [];
  for (let rest = content; rest.length > 0; ) {
    const next = parse(rest);
    if (next === undefined) throw new RangeError("an element goes beyond its parent");
    nodes.push(next.node);
    rest = rest.subarray(next.bytes);
  }
  return nodes;
}

export const text = (node: Node | undefined): string => node?.content.toString("utf8") ?? "";
export const integer = (node: Node | undefined): number =>
  node === undefined || node.content.length === 0 ? 0 : node.content.readIntBE(0, Math.min(6, node.content.length));

/** One element: what it holds is given as bytes, text, or elements one after the other. */
export function tlv(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const start = length.findIndex((byte) => byte !== 0);
  return Buffer.concat([Buffer.from([tag, 0x80 | (4 - start)]), length.subarray(start), content]);
}

export function int(value: number, tag = 0x02): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeIntBE(value, 0, 6);
  let start = 0;
  while (
    start < 5 &&
    ((bytes[start] === 0 && bytes[start + 1]! < 0x80) || (bytes[start] === 0xff && bytes[start + 1]! >= 0x80))
  ) {
    start += 1;
  }
  return tlv(tag, bytes.subarray(start));
}

export const octets = (value: Buffer | string): Buffer => tlv(0x04, value);
export const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);
