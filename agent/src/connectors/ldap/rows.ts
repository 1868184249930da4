/** Objects as rows: each attribute into its column, whole or not at all. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { columnOf, type TimestampForm, writerOf } from "./column-type.ts";
import type { Entry, EntryAttribute, TakeValue } from "./message.ts";
import type { Selection } from "./selection.ts";

/** The columns of a selection; one for a name that the schema does not have, too, so that a pull's columns stay. */
export const columnsOf = ({ attributes, unknown }: Selection, timestamps?: TimestampForm): Column[] => [
  ...attributes.map((attribute) => columnOf(attribute, timestamps)),
  ...unknown.map((name): Column => ({ name, type: { kind: "utf8" }, nullable: true, source: "unknown" })),
];

/** @returns what puts one entry into the batch as a row; @throws SallyportError `value.not_exact`, `limit.bytes` */
export function rowWriter(
  { attributes }: Selection,
  batch: Pick<RowBatch, "columns" | "rowDone">,
  timestamps?: TimestampForm,
): (entry: Entry) => void {
  const { columns } = batch;
  const writers = attributes.map((attribute) => writerOf(attribute, timestamps));
  // A directory nearly always spells a name as its schema does: then no lower-case text is made for it.
  const placeOf = new Map(
    attributes.flatMap(({ name }, at) => [[name, at] as const, [name.toLowerCase(), at] as const]),
  );
  const found = new Array<EntryAttribute | undefined>(columns.length);
  return (entry) => {
    found.fill(undefined);
    for (const attribute of entry.attributes) {
      const at = placeOf.get(attribute.name) ?? placeOf.get(attribute.name.toLowerCase());
      if (at !== undefined) found[at] = attribute;
    }
    for (let at = 0; at < columns.length; at += 1) {
      const attribute = found[at];
      if (attribute === undefined) columns[at]!.appendNull();
      else writers[at]!(columns[at]!, attribute);
    }
    batch.rowDone();
  };
}

/** Whether an object is of one of these classes itself: a computer is also a user, and not meant by that word. */
export function isOfClass({ attributes }: Entry, classes: ReadonlySet<string>): boolean {
  const own: Span = { bytes: undefined, start: 0, end: 0 };
  attributes.find(isObjectClass)?.each(keep, own);
  if (own.bytes !== undefined) return classes.has(own.bytes.toString("utf8", own.start, own.end).toLowerCase());
  throw new SallyportError("directory.permission", "The login may not see what class an object has.");
}

const isObjectClass = ({ name }: EntryAttribute): boolean =>
  name === "objectClass" || name.toLowerCase() === "objectclass";

interface Span {
  bytes: Buffer | undefined;
  start: number;
  end: number;
}

const keep: TakeValue<Span> = (to, bytes, start, end) => {
  to.bytes = bytes;
  to.start = start;
  to.end = end;
};
