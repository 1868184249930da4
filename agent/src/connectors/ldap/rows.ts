/** Objects as rows: each attribute into its column, whole or not at all. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { columnOf, writerOf } from "./column-type.ts";
import type { Entry } from "./message.ts";
import type { Selection } from "./selection.ts";

/** The columns of a selection; one for a name that the schema does not have, too, so that a pull's columns stay. */
export const columnsOf = ({ attributes, unknown }: Selection): Column[] => [
  ...attributes.map(columnOf),
  ...unknown.map((name): Column => ({ name, type: { kind: "utf8" }, nullable: true, source: "unknown" })),
];

/** @returns what puts one entry into the batch as a row; @throws SallyportError `value.not_exact`, `limit.bytes` */
export function rowWriter(
  { attributes }: Selection,
  batch: Pick<RowBatch, "columns" | "rowDone">,
): (entry: Entry) => void {
  const writers = attributes.map(writerOf);
  return (entry) => {
    const byName = new Map(entry.attributes.map(({ name, values }) => [name.toLowerCase(), values]));
    for (const [at, buffer] of batch.columns.entries()) {
      const attribute = attributes[at];
      const values = attribute === undefined ? undefined : byName.get(attribute.name.toLowerCase());
      if (values === undefined || values.length === 0) buffer.appendNull();
      else writers[at]!(buffer, values);
    }
    batch.rowDone();
  };
}

/** Whether an object is of one of these classes itself: a computer is also a user, and not meant by that word. */
export function isOfClass({ attributes }: Entry, classes: ReadonlySet<string>): boolean {
  const own = attributes.find(({ name }) => name.toLowerCase() === "objectclass")?.values.at(-1);
  if (own === undefined)
    throw new SallyportError("directory.permission", "The login may not see what class an object has.");
  return classes.has(own.toString("utf8").toLowerCase());
}
