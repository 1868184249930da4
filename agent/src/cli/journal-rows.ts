/** The journal as people read it: a row for each session and for each of the agent's own acts. Pure. */
import type { ReadLine } from "../journal/read-line.ts";

export const HEADS = ["TIME", "OP", "CONN", "OBJECT", "RULE", "RESULT", "ROWS", "BYTES", "MS", "CALLER"] as const;

/** A request together with its end, once there is one; any other line by itself. */
export interface Entry {
  readonly line: ReadLine;
  readonly end?: ReadLine;
}

/** Requests with their ends; an end whose request is not among the lines stands alone. */
export function entriesOf(lines: readonly ReadLine[]): Entry[] {
  const requests = new Set(lines.filter(({ event }) => event === "request").map(({ request }) => request));
  const ends = new Map(lines.filter(({ event }) => event === "end").map((line) => [line.request, line]));
  return lines
    .filter((line) => line.event !== "end" || !requests.has(line.request))
    .map((line) => {
      const end = line.event === "request" ? ends.get(line.request) : undefined;
      return { line, ...(end === undefined ? {} : { end }) };
    });
}

/** @param withDay whether the day stands before the time */
export function rowOf({ line, end }: Entry, withDay: boolean): string[] {
  const counts = end ?? line;
  const time = line.at.slice(11, 19);
  return [
    withDay ? `${line.at.slice(0, 10)} ${time}` : time,
    opOf(line),
    line.connection ?? "-",
    line.object === undefined ? (detailOf(line) ?? "-") : short(line.object),
    line.rule ?? "-",
    resultOf({ line, ...(end === undefined ? {} : { end }) }),
    number(counts.rowsOut ?? counts.rowsIn),
    counts.bytesOut === undefined ? "-" : size(counts.bytesOut),
    number(counts.durationMs),
    line.caller ?? "-",
  ];
}

const opOf = ({ op, action, event }: ReadLine): string =>
  action === undefined ? (op ?? event) : `${op ?? event} ${action}`;

/** What a line without an object is about. */
function detailOf({ event, login, key, version, firstKept }: ReadLine): string | undefined {
  if (event === "login") return login;
  if (event === "retention") return `before line ${number(firstKept)}`;
  if (event === "start") return version;
  return key;
}

export function resultOf({ line, end }: Entry): string {
  const code = end?.code ?? line.code;
  if (code !== undefined) return code;
  if (line.event === "lock") return line.decision === "deny" ? "locked" : "unlocked";
  if (line.event === "drain") return line.decision === "allow" ? "serving" : "draining";
  if (line.event === "request" && end === undefined) return "running";
  return "ok";
}

/** A place in a directory by where it begins: `OU=Staff,…`. */
const short = (object: string): string =>
  /^[A-Za-z0-9.-]+=/.test(object) && object.includes(",") ? `${object.slice(0, object.indexOf(","))},…` : object;

const number = (value: number | undefined): string => (value === undefined ? "-" : value.toLocaleString("en"));

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** `0`, `912 kB`, `1.4 GB`: powers of 1000, one decimal below ten. */
function size(bytes: number): string {
  if (bytes === 0) return "0";
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1).replace(".0", "") : Math.round(value)} ${UNITS[unit]}`;
}
