/** Column buffers as row objects, to be compared. Only tests load this file. */
import type { ColumnView } from "./layout.ts";
import { columnReader, type JsonValue } from "./to-json.ts";

/** Row objects by column name; `columns` and `names` in the schema's order. */
export function* jsonRows(
  names: readonly string[],
  columns: readonly ColumnView[],
): Generator<Record<string, JsonValue>> {
  const readers = columns.map((view) => columnReader(view));
  const rows = columns[0]?.length ?? 0;
  for (let row = 0; row < rows; row++) {
    const object: Record<string, JsonValue> = {};
    for (let index = 0; index < readers.length; index++) setOwn(object, names[index]!, readers[index]!(row));
    yield object;
  }
}

/** A column may be called `__proto__`. */
function setOwn(object: Record<string, JsonValue>, name: string, value: JsonValue): void {
  if (name === "__proto__") Object.defineProperty(object, name, { value, enumerable: true });
  else object[name] = value;
}
