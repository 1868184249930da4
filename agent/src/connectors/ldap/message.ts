/** The messages of a directory: what may answer a request, taken apart [RFC 4511 4]. Pure. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Ber, readBer, TAG } from "./ber.ts";

/** Tags of the answers [RFC 4511 4.2.2 and on]. */
export const ANSWER = {
  ...{ bind: 0x61, entry: 0x64, searchDone: 0x65, modify: 0x67, add: 0x69, delete: 0x6b, modifyDn: 0x6d },
  ...{ reference: 0x73, extended: 0x78 },
} as const;

export interface Message {
  readonly id: number;
  readonly tag: number;
  /** What is in the answer itself. */
  readonly body: Buffer;
  /** Values of the controls that came along, by OID. */
  readonly controls: ReadonlyMap<string, Buffer>;
}

export interface Result {
  /** 0 is success. */
  readonly code: number;
  /** Where the name asked for ends in what exists. Names people: never for an error's text. */
  readonly matchedDn: string;
  /** The directory's own words, with its sub-code in them. May quote values: never for an error's text. */
  readonly diagnostic: string;
  readonly referrals: readonly string[];
  readonly controls: Message["controls"];
  /** What comes after the result: a bind's server credentials, an extended answer's name and value. */
  readonly rest: Ber;
}

const NO_CONTROLS: Message["controls"] = new Map();
const MAX_CONTROLS = 32;

/** @throws SallyportError `directory.protocol` */
export function readMessage(bytes: Buffer): Message {
  const message = readBer(bytes);
  message.enter(TAG.sequence);
  const id = message.integer();
  const tag = message.peek() ?? 0;
  const body = message.take(tag);
  return { id, tag, body, controls: message.isEmpty ? NO_CONTROLS : readControls(message.open(TAG.controls)) };
}

function readControls(list: Ber): Message["controls"] {
  const controls = new Map<string, Buffer>();
  while (!list.isEmpty) {
    const control = list.open(TAG.sequence);
    const oid = control.text();
    if (control.peek() === TAG.boolean) control.take(TAG.boolean);
    controls.set(oid, control.isEmpty ? Buffer.alloc(0) : control.take(TAG.octets));
    if (controls.size > MAX_CONTROLS) {
      throw new SallyportError("directory.protocol", "The directory sent more controls than there are.");
    }
  }
  return controls;
}

/** Of any answer but an entry and a reference. @throws SallyportError `directory.protocol` */
export function readResult({ body, controls }: Message): Result {
  const rest = readBer(body);
  const code = rest.integer(TAG.enumerated);
  const matchedDn = rest.text();
  const diagnostic = rest.text();
  const referrals = rest.peek() === TAG.referral ? readTexts(rest.open(TAG.referral)) : [];
  return { code, matchedDn, diagnostic, referrals, controls, rest };
}

/** The addresses of a search's continuation reference. @throws SallyportError `directory.protocol` */
export const readReference = ({ body }: Message): string[] => readTexts(readBer(body));

function readTexts(list: Ber): string[] {
  const texts: string[] = [];
  while (!list.isEmpty) texts.push(list.text());
  return texts;
}

export interface Entry {
  readonly dn: string;
  readonly attributes: readonly EntryAttribute[];
}
export interface EntryAttribute {
  /** As the directory spells it; with options, `member;range=0-1499`. */
  readonly name: string;
  /** Views of the message. */
  readonly values: readonly Buffer[];
  /** Gives each value as bytes and where in them it is, without a view of its own. How many there are. */
  each<To>(take: TakeValue<To>, to: To): number;
}
export type TakeValue<To> = (to: To, bytes: Buffer, start: number, end: number) => void;

/** Of values that came otherwise than with an entry. */
export const attributeOf = (name: string, values: readonly Buffer[]): EntryAttribute => ({
  name,
  values,
  each(take, to) {
    for (const value of values) take(to, value, 0, value.length);
    return values.length;
  },
});

/** A class and no views: an object has a dozen values, and nearly all go straight into columns. Views were most of its garbage. */
class ReadAttribute implements EntryAttribute {
  readonly name: string;
  private readonly bytes: Buffer;
  /** Where each value begins and ends. */
  private readonly spans: readonly number[];

  constructor(name: string, bytes: Buffer, spans: readonly number[]) {
    this.name = name;
    this.bytes = bytes;
    this.spans = spans;
  }

  get values(): Buffer[] {
    const values: Buffer[] = [];
    this.each((to, bytes, start, end) => to.push(bytes.subarray(start, end)), values);
    return values;
  }

  each<To>(take: TakeValue<To>, to: To): number {
    const { bytes, spans } = this;
    for (let at = 0; at < spans.length; at += 2) take(to, bytes, spans[at]!, spans[at + 1]!);
    return spans.length / 2;
  }
}

/** @throws SallyportError `directory.protocol` */
export function readEntry({ body }: Message): Entry {
  const entry = readBer(body);
  const dn = entry.text();
  entry.enter(TAG.sequence);
  const attributes: EntryAttribute[] = [];
  while (!entry.isEmpty) {
    const list = entry.enter(TAG.sequence);
    const name = entry.text();
    const attribute = entry.enter(TAG.set);
    // Made with its first value: an empty array that grows has room for 17.
    const spans = entry.isEmpty ? [] : [entry.pass(TAG.octets), entry.position];
    while (!entry.isEmpty) spans.push(entry.pass(TAG.octets), entry.position);
    entry.leave(attribute);
    entry.leave(list);
    attributes.push(new ReadAttribute(name, body, spans));
  }
  return { dn, attributes };
}
