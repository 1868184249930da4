import type { Typed } from "rhea";
import rhea from "rhea";

/** The section codes of AMQP 1.0 part 3, section 3.2. */
export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  sequence: 0x76,
  value: 0x77,
  footer: 0x78,
} as const;

export type Section = {
  readonly code: number;
  readonly value: Typed;
  /** Where its bytes stand in the message. */
  readonly start: number;
  readonly end: number;
};

// rhea's typings leave out its reader and writer.
type Codec = {
  Reader: new (bytes: Buffer) => { position: number; remaining(): number; read(): Typed };
  Writer: new () => { write(value: Typed): void; toBuffer(): Buffer };
};
const { Reader, Writer } = rhea.types as unknown as Codec;

const LIST_CODES = [0x45, 0xc0, 0xd0];
const MAP_CODES = [0xc1, 0xd1];

/** What a section must hold, where others read its fields. Without this check they would meet whatever was sent. */
const CODES_OF_CONTENT: Readonly<Record<number, readonly number[]>> = {
  [SECTION.header]: LIST_CODES,
  [SECTION.deliveryAnnotations]: MAP_CODES,
  [SECTION.messageAnnotations]: MAP_CODES,
  [SECTION.properties]: LIST_CODES,
  [SECTION.applicationProperties]: MAP_CODES,
  [SECTION.footer]: MAP_CODES,
};

/**
 * Splits an encoded message into its sections without touching their content.
 *
 * @throws Error when the bytes are no sequence of sections in the order that AMQP prescribes, a
 * section holds something else than it should, or there is no body
 */
export function splitSections(bytes: Buffer): Section[] {
  const reader = new Reader(bytes);
  const sections: Section[] = [];
  while (reader.remaining() > 0) {
    const start = reader.position;
    const value = reader.read();
    // rhea reads past the end without complaint.
    if (reader.position > bytes.length) throw new Error("a message that is cut off");
    const code: unknown = value.descriptor?.value;
    const previous = sections.at(-1)?.code ?? 0;
    if (typeof code !== "number" || code < SECTION.header || code > SECTION.footer) {
      throw new Error("not a message section");
    }
    const mayRepeat = code === SECTION.data || code === SECTION.sequence;
    if (code < previous || (code === previous && !mayRepeat)) throw new Error("message sections out of order");
    checkContent(code, value);
    sections.push({ code, value, start, end: reader.position });
  }
  if (!sections.some(({ code }) => code >= SECTION.data && code <= SECTION.value))
    throw new Error("a message without a body");
  return sections;
}

function checkContent(code: number, value: Typed): void {
  const typecode = (value.type as { typecode?: number } | undefined)?.typecode;
  const codes = CODES_OF_CONTENT[code];
  if (codes && (typecode === undefined || !codes.includes(typecode))) {
    throw new Error(`the section 0x${code.toString(16)} holds something else than it should`);
  }
}

/** Encodes one section from its value. */
export function encodeSection(code: number, value: Typed): Buffer {
  const writer = new Writer();
  writer.write(rhea.types.described(rhea.types.wrap_ulong(code), value));
  return writer.toBuffer();
}

/** The keys and values of a map section, as they were typed by the sender. */
export function pairsOf(section: Section | undefined): [string, Typed][] {
  const flat: Typed[] = section?.value.value ?? [];
  const pairs: [string, Typed][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) pairs.push([String(flat[index]!.value), flat[index + 1]!]);
  return pairs;
}
