/** Values that a directory gives in pieces: `member;range=0-1499`, and on to the end [MS-ADTS 3.1.1.3.1.3.3]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { textsOf } from "./attribute-types.ts";
import type { Connection } from "./connection.ts";
import { attributeOf, type Entry, type EntryAttribute } from "./message.ts";
import { findOne } from "./query.ts";
import { guidText } from "./sid.ts";

const RANGE = /^([^;]+);range=([0-9]{1,9})-([0-9]{1,9}|\*)$/i;

/** Whether an object has values that did not come. */
export const isInPieces = ({ attributes }: Entry): boolean =>
  attributes.some(({ name }) => {
    // Of an ordinary name there are ten an object.
    const [, , , last] = name.includes(";") ? (RANGE.exec(name) ?? []) : [];
    return last !== undefined && last !== "*";
  });

export const guidOf = (entry: Entry): string | undefined => {
  const bytes = entry.attributes.find(({ name }) => name.toLowerCase() === "objectguid")?.values[0];
  return bytes === undefined ? undefined : guidText(bytes);
};

/**
 * The object with all of its values, read anew by its GUID, piece after piece; undefined where it is gone by now.
 * @param attributes besides these, `uSNChanged` is asked for each time
 * @throws SallyportError `directory.changed` where it changed meanwhile: the pieces would not be of one time
 */
export async function readWhole(
  connection: Connection,
  guid: string,
  attributes: readonly string[],
): Promise<Entry | undefined> {
  const read = (names: readonly string[]): Promise<Entry | undefined> =>
    findOne(connection, { base: `<GUID=${guid}>`, scope: "base", attributes: [...names, "uSNChanged"] });
  const first = await read(attributes);
  if (first === undefined) return undefined;
  const readMore = async (name: string, from: number): Promise<EntryAttribute | undefined> => {
    const next = await read([`${name};range=${from}-*`]);
    const isSame = textsOf(next, "uSNChanged")[0] === textsOf(first, "uSNChanged")[0];
    return isSame ? next?.attributes.find((one) => pieceOf(one)?.name.toLowerCase() === name.toLowerCase()) : undefined;
  };
  const whole: EntryAttribute[] = [];
  for (const attribute of withoutEmptyTwins(first.attributes)) whole.push(await wholeOf(attribute, readMore));
  return { dn: first.dn, attributes: whole };
}

/** Beside `member;range=0-1499` a controller sends a `member` with nothing in it [MS-ADTS 3.1.1.3.1.3.3], which is no attribute of its own. */
function withoutEmptyTwins(attributes: readonly EntryAttribute[]): readonly EntryAttribute[] {
  const inPieces = new Set(attributes.flatMap((attribute) => pieceOf(attribute)?.name.toLowerCase() ?? []));
  return attributes.filter(({ name, values }) => values.length > 0 || !inPieces.has(name.toLowerCase()));
}

/** @param readMore gives the piece that begins there, or nothing where the object is no longer as it was */
async function wholeOf(
  attribute: EntryAttribute,
  readMore: (name: string, from: number) => Promise<EntryAttribute | undefined>,
): Promise<EntryAttribute> {
  const first = pieceOf(attribute);
  if (first === undefined) return attribute;
  const values = [...attribute.values];
  if (first.from !== 0) throw outOfOrder();
  for (let piece = first; !piece.isLast; ) {
    const more = await readMore(first.name, values.length);
    const next = more === undefined ? undefined : pieceOf(more);
    if (more === undefined || next === undefined) throw changed();
    if (next.from !== values.length || more.values.length === 0) throw outOfOrder();
    values.push(...more.values);
    piece = next;
  }
  return attributeOf(first.name, values);
}

interface Piece {
  readonly name: string;
  readonly from: number;
  readonly isLast: boolean;
}

function pieceOf(attribute: EntryAttribute): Piece | undefined {
  const [, plain, from, last] = RANGE.exec(attribute.name) ?? [];
  if (plain === undefined) return undefined;
  if (last !== "*" && Number(last) - Number(from) + 1 !== attribute.values.length) throw outOfOrder();
  return { name: plain, from: Number(from), isLast: last === "*" };
}

const changed = (): SallyportError =>
  new SallyportError("directory.changed", "An object changed while its many values were read.");
const outOfOrder = (): SallyportError =>
  new SallyportError("directory.protocol", "The directory gives an object's values out of order.");
