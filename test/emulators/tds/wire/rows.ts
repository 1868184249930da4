/** ROW and NBCROW: a row with NULLs says so in a bitmap, the others need none. */
import type { SqlValue } from "../values/type.ts";
import type { Encoder } from "./types-write.ts";
import { ensure, u8, type Writer } from "./writer.ts";

const ROW = 0xd1;
const NBCROW = 0xd2;

/** Writes one row, whose values are in parts, into the writer. */
export function rowEncoder(encoders: readonly Encoder[]): (writer: Writer, row: readonly SqlValue[]) => void {
  const starts: number[] = [];
  let width = 0;
  for (const encoder of encoders) {
    starts.push(width);
    width += encoder.parts;
  }
  const count = encoders.length;
  return (writer, row) => {
    if (anyNull(row, starts)) {
      sparse(writer, row, encoders, starts);
      return;
    }
    u8(writer, ROW);
    for (let n = 0; n < count; n++) (encoders[n] as Encoder).value(writer, row, starts[n] as number);
  };
}

function anyNull(row: readonly SqlValue[], starts: readonly number[]): boolean {
  for (let n = 0; n < starts.length; n++) if (row[starts[n] as number] === null) return true;
  return false;
}

function sparse(
  writer: Writer,
  row: readonly SqlValue[],
  encoders: readonly Encoder[],
  starts: readonly number[],
): void {
  u8(writer, NBCROW);
  const size = (encoders.length + 7) >> 3;
  ensure(writer, size);
  writer.buffer.fill(0, writer.at, writer.at + size);
  const bitmap = writer.at;
  writer.at += size;
  encoders.forEach((encoder, n) => {
    const at = starts[n] as number;
    if (row[at] !== null) encoder.value(writer, row, at);
    else writer.buffer[bitmap + (n >> 3)] = (writer.buffer[bitmap + (n >> 3)] ?? 0) | (1 << (n & 7));
  });
}
