/** Bulk load [MS-TDS 2.2.6.1]: COLMETADATA, rows and DONE from the client, straight into SQLite as they come. */

import { keptAlike } from "../sql/bound.ts";
import { quoteName, requireColumn, type Table } from "../sql/catalog.ts";
import { newBinding } from "../sql/run.ts";
import { filledColumns } from "../sql/run-change.ts";
import type { State } from "../sql/state.ts";
import { assign } from "../values/convert.ts";
import { sqlError } from "../values/errors.ts";
import type { SqlType, SqlValue } from "../values/type.ts";
import { longText, NotEnough, type Reader, shortText, u8, u16, u32 } from "./reader.ts";
import { readPointed, readTypeInfo, type WireType } from "./types-read.ts";

export interface BulkTarget {
  readonly table: Table;
  /** As INSERT BULK announced them. */
  readonly columns: readonly { readonly name: string; readonly type: SqlType }[];
}

export interface BulkLoad {
  /** Takes the next bytes of the message. Throws what SQL Server would answer. */
  push(chunk: Buffer): void;
  /** Rows so far. */
  readonly rows: () => number;
}

type Convert = (value: SqlValue) => SqlValue;

/** The caller holds a write transaction open until the message has ended. */
export function startBulk(state: State, target: BulkTarget): BulkLoad {
  const { table } = target;
  const columns = target.columns.map((column) => requireColumn(table, column.name));
  const given = new Set(columns.map((column) => column.name.toLowerCase()));
  const binding = newBinding(state);
  const filled = filledColumns(binding, table, given);
  const names = [...columns, ...filled.map(({ column }) => column)].map((column) => quoteName(column.name)).join(",");
  // Rowversions are stamped here too, whatever the client sends for them.
  const slots = columns.map((column, at) => {
    const slot = `?${at + 1 + binding.args.length}`;
    return column.type.name === "rowversion" ? `coalesce(next_version(), ${slot})` : slot;
  });
  const values = [...slots, ...filled.map(({ sql }) => sql)].join(",");
  const insert = state.sqlite.prepare(`INSERT INTO ${table.sqlite} (${names}) VALUES (${values})`);

  let rest: Buffer = Buffer.alloc(0);
  let wires: WireType[] | null = null;
  let converts: Convert[] = [];
  let count = 0;

  const head = (reader: Reader): void => {
    const number = u16(reader);
    const read = Array.from({ length: number }, () => readColumn(reader));
    if (number !== columns.length) throw sqlError(213);
    wires = read;
    converts = read.map((wire, at) => converterFor(wire.type, table, columns[at]?.name ?? ""));
  };
  const row = (reader: Reader, nulls: Buffer | null): void => {
    const args: SqlValue[] = [...binding.args];
    wires?.forEach((wire, at) => {
      const missing = nulls !== null && ((nulls[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
      const value = missing ? null : readPointed(reader, wire);
      args.push((converts[at] as Convert)(value));
    });
    insert.run(...args);
    count++;
  };
  const token = (reader: Reader): void => {
    const id = u8(reader);
    if (id === 0x81) head(reader);
    else if (id === 0xd1) row(reader, null);
    else if (id === 0xd2) {
      const size = ((wires?.length ?? 0) + 7) >> 3;
      const from = reader.at;
      if (from + size > reader.buffer.length) throw new NotEnough();
      reader.at += size;
      row(reader, reader.buffer.subarray(from, from + size));
    } else if (id === 0xfd) reader.at = reader.buffer.length;
    else throw new RangeError(`token 0x${id.toString(16)} in a bulk load`);
  };
  return {
    rows: () => count,
    push(chunk) {
      const reader: Reader = { buffer: rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), at: 0 };
      let whole = 0;
      try {
        while (reader.at < reader.buffer.length) {
          token(reader);
          whole = reader.at;
        }
      } catch (error) {
        if (!(error instanceof NotEnough)) throw error;
      }
      rest = reader.buffer.subarray(whole);
    },
  };
}

function readColumn(reader: Reader): WireType {
  u32(reader);
  u16(reader);
  const wire = readTypeInfo(reader);
  if (wire.pointer) longText(reader);
  shortText(reader);
  return wire;
}

function converterFor(from: SqlType, table: Table, name: string): Convert {
  const column = requireColumn(table, name);
  const alike = keptAlike(from, column.type);
  if (!column.nullable && column.type.name !== "rowversion") {
    return (value) => {
      if (value === null) throw sqlError(515, column.name, `${table.schema}.${table.name}`);
      return alike ? value : assign(value, from, column.type, `${table.schema}.${table.name}`, column.name);
    };
  }
  if (alike) return (value) => value;
  return (value) => assign(value, from, column.type, `${table.schema}.${table.name}`, column.name);
}
