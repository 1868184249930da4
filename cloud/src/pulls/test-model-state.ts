/**
 * The state of the exhaustive model: a pull's partition, its blobs and a few actors, all as small plain values, so that
 * two states which are the same have the same text. Records are kept as numbers of interned texts. An ETag is only ever
 * compared with the current one, so all that is kept of it is whether nobody has written since ("fresh").
 */
import type { z } from "zod";
import { fromRow, type Stored } from "../store/record.ts";
import { cursorRecord, outRecord, runRecord, sliceRecord } from "../store/runs.ts";
import type { Change } from "../store/tables.ts";

export const ETAG = 'W/"model"';

/** A transaction on its way, and for each row that it replaces whether the ETag it carries is still the row's. */
export interface Write {
  readonly puts: readonly (readonly [what: Change["do"], row: string, value: number])[];
  fresh: Record<string, boolean>;
}

export interface Actor {
  readonly name: string;
  /** What it does next. */
  at: string;
  /** The run it works on, its content as last confirmed, and whether its ETag is the row's. */
  run: string;
  chain: number;
  fresh: boolean;
  /** The operation it is about to write, its number, its tries, and a number that goes with it. */
  op: string;
  ops: number;
  tries: number;
  size: number;
  last: boolean;
  /** Of the source's columns when its session began. */
  shape: number;
  /** The slice it has staged, and whether it is the session's first. */
  staged: string;
  begun: boolean;
  write: Write | null;
  /** The event it is about to tell. */
  out: string;
  outValue: number;
}

export interface State {
  rows: Record<string, number>;
  /** Slices' blobs: name and the Ids in them. */
  blobs: Record<string, string>;
  /** Every manifest that ever was there, by its number less one, as readers saw it. */
  seen: string[];
  /** Numbers of the manifests that are there now. */
  there: number[];
  /** Runs whose end was told, by name. */
  told: string[];
  /** Whose wake entries are there. */
  wakes: string[];
  /** Rows of the source, Ids 1 to this, and the shape of its columns. */
  source: number;
  shape: number;
  /** Replies that may still be lost. */
  faults: number;
  late: Write[];
  /** A write landed after its writer had given it up: only the slow re-index is sure to find what it left. */
  lateLanded: boolean;
  actors: Actor[];
}

/** What must never be. The first one found is the model's answer. */
export class Violation extends Error {
  override readonly name = "Violation";
}

const texts: string[] = [];
const numbers = new Map<string, number>();

/** The number of a record's content. */
function intern(properties: unknown): number {
  const text = JSON.stringify(properties, (_, value) => (typeof value === "bigint" ? Number(value) : value));
  const known = numbers.get(text);
  if (known !== undefined) return known;
  numbers.set(text, texts.push(text) - 1);
  return texts.length - 1;
}

const read = new Map<string, Stored<unknown>>();

/** Long after any lease: in the model it may be over at any time. */
const LATER_MS = Date.UTC(2027, 0, 1);

function storedAt<S extends z.ZodObject>(kind: string, schema: S, at: number): Stored<z.infer<S>> {
  const key = `${kind} ${at}`;
  let found = read.get(key);
  if (!found) {
    const properties = JSON.parse(texts[at]!);
    const row = { partition: "p", row: "r", etag: ETAG, timestampMs: 0, readAtMs: LATER_MS, properties };
    found = fromRow(schema, row);
    read.set(key, found);
  }
  return found as Stored<z.infer<S>>;
}
export const runAt = (value: number): Stored<z.infer<typeof runRecord>> => storedAt("run", runRecord, value);
export const cursorAt = (value: number): Stored<z.infer<typeof cursorRecord>> =>
  storedAt("cursor", cursorRecord, value);
export const sliceAt = (value: number): z.infer<typeof sliceRecord> => storedAt("slice", sliceRecord, value).value;
export const outAt = (value: number): z.infer<typeof outRecord> => storedAt("out", outRecord, value).value;

/** Changes as a write; `stale`: the rows whose ETag the writer took from an older read. */
export function writeOf(changes: readonly Change[], stale: readonly string[] = []): Write {
  const puts = changes.map((change) => {
    return [change.do, change.row, change.do === "remove" ? -1 : intern(change.properties)] as const;
  });
  const fresh: Record<string, boolean> = {};
  for (const [what, row] of puts) if (what === "replace") fresh[row] = !stale.includes(row);
  return { puts, fresh };
}

/** Applies a write as the table service would; false when it refuses. `etags` off: updates are unconditional. */
export function apply(state: State, { puts, fresh }: Write, etags: boolean): boolean {
  for (const [what, row] of puts) {
    const there = state.rows[row] !== undefined;
    if (what === "insert" ? there : !there) return false;
    if (what === "replace" && etags && !fresh[row]) return false;
  }
  for (const [what, row, value] of puts) {
    if (what === "remove") delete state.rows[row];
    else {
      if (RUN_ROW.test(row)) checkEnd(row, state.rows[row], value);
      state.rows[row] = value;
    }
    outdate(state, row);
  }
  if (etags) state.late = state.late.filter((write) => Object.values(write.fresh).every(Boolean));
  return true;
}

export const RUN_ROW: RegExp = /^run\|[^|]+$/;
const FINAL = ["published", "failed", "cancelled", "superseded", "expired"];

function checkEnd(row: string, before: number | undefined, after: number): void {
  if (before === undefined) return;
  const [was, is] = [runAt(before).value.state, runAt(after).value.state];
  if (FINAL.includes(was) && is !== was && is !== "expired")
    throw new Violation(`revived: ${row} from ${was} to ${is}`);
}

function outdate(state: State, row: string): void {
  for (const actor of state.actors) {
    if (`run|${actor.run}` === row) actor.fresh = false;
    if (actor.write && row in actor.write.fresh) actor.write.fresh[row] = false;
  }
  for (const write of state.late) if (row in write.fresh) write.fresh[row] = false;
}

const copyWrite = (write: Write): Write => ({ puts: write.puts, fresh: { ...write.fresh } });

export const copy = (state: State): State => ({
  ...state,
  rows: { ...state.rows },
  blobs: { ...state.blobs },
  seen: [...state.seen],
  there: [...state.there],
  wakes: [...state.wakes],
  late: state.late.map(copyWrite),
  actors: state.actors.map((actor) => ({ ...actor, write: actor.write && copyWrite(actor.write) })),
});

const sorted = (record: Record<string, unknown>) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));

/** The text of what is stored, without those who are at work. */
export const storedText = (state: State): string =>
  JSON.stringify([
    sorted(state.rows),
    sorted(state.blobs),
    state.seen,
    state.there,
    state.told,
    state.wakes.length > 0,
    state.source,
    state.shape,
    state.lateLanded,
  ]);

/** The same text for states that are the same. */
export const stateText = (state: State): string =>
  storedText(state) + JSON.stringify([state.wakes, state.faults, state.late, state.actors]);

export const newActor = (name: string, at: string, run = ""): Actor => ({
  ...{ name, at, run, chain: -1, fresh: false, op: "", ops: 0, tries: 0, size: 0, last: false, write: null, shape: 0 },
  ...{ out: "", outValue: -1, staged: "", begun: false },
});
