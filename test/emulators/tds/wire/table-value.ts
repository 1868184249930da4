/** Table-valued parameters [MS-TDS 2.2.5.5.5]. */
import type { TableRows } from "../sql/state.ts";
import type { SqlValue } from "../values/type.ts";
import { type Reader, shortText, u8, u16, u32 } from "./reader.ts";
import { readTypeInfo } from "./types-read.ts";

export const TABLE_TYPE = 0xf3;
const NO_METADATA = 0xffff;

/** TVP_TYPE_INFO, then its rows. */
export function readTable(reader: Reader): TableRows {
  u8(reader);
  for (const _part of ["database", "schema", "type"]) shortText(reader);
  const count = u16(reader);
  const columns = Array.from({ length: count === NO_METADATA ? 0 : count }, () => {
    u32(reader);
    u16(reader);
    const wire = readTypeInfo(reader);
    shortText(reader);
    return wire;
  });
  if (u8(reader) !== 0) throw new RangeError("metadata of a table-valued parameter that is not known here");
  const rows: SqlValue[][] = [];
  for (;;) {
    const token = u8(reader);
    if (token === 0) return { types: columns.map(({ type }) => type), rows };
    if (token !== 1) throw new RangeError(`token 0x${token.toString(16)} in a table-valued parameter`);
    rows.push(columns.map((wire) => wire.read(reader)));
  }
}
