/** A table that changes all the time, and the book of what it held when: who counts rows counts against this. */
import { setTimeout as pause } from "node:timers/promises";
import type { Tds } from "../../emulators/tds/start.ts";
import type { Random } from "./random.ts";

/** One version of one row. Versions are rowversions as 16 hex digits, so that texts compare as numbers do. */
export interface Version {
  readonly key: number;
  readonly version: string;
  /** `Date.now()` when the statement that replaced it was sent; undefined while it is the row's latest. */
  readonly replacedAtMs?: number;
}

export interface Orders {
  /** Rows that are there. */
  readonly count: number;
  /** Inserts and updates at once; keys are drawn. */
  change(inserts: number, updates: number): Promise<void>;
  /** Changes a few rows, again and again, until the function it answers is called, which resolves after the last one. */
  keepChanging(): () => Promise<void>;
  /** Every version there ever was, oldest first. */
  book(): readonly Version[];
}

export const TABLE = "dbo.Orders";
/** The statement by which the agent reads it. */
export const ORDERS_READ: RegExp = /FROM \[dbo\]\.\[Orders\]/;

type Entry = { -readonly [K in keyof Version]: Version[K] };

const NOTE = "0123456789abcdef".repeat(8);
const PACE_MS = 250;

/** Makes the table in a database of its own, whose rowversions therefore only it moves. */
export async function createOrders(tds: Tds, database: string, random: Random): Promise<Orders> {
  const run = (text: string) => tds.sql(text, database);
  await run(
    `CREATE TABLE ${TABLE} (Id int NOT NULL PRIMARY KEY, Note nvarchar(200) NOT NULL, Version rowversion NOT NULL)`,
  );
  const book: Entry[] = [];
  const latest = new Map<number, Entry>();
  let seen = 0n;
  let keys = 0;
  let queue: Promise<void> = Promise.resolve();

  async function change(inserts: number, updates: number): Promise<void> {
    const statements: string[] = [];
    const updated = new Set<number>();
    while (updated.size < Math.min(updates, keys)) updated.add(random.below(keys));
    if (updated.size > 0) {
      statements.push(`UPDATE ${TABLE} SET Note = N'${random.below(1e9)} ${NOTE}' WHERE Id IN (${[...updated]})`);
    }
    const values = Array.from({ length: inserts }, () => `(${keys++}, N'${random.below(1e9)} ${NOTE}')`);
    if (inserts > 0) statements.push(`INSERT INTO ${TABLE} (Id, Note) VALUES ${values.join(", ")}`);
    const atMs = Date.now();
    for (const statement of statements) await run(statement);
    await note(atMs);
  }

  /** This book's writer is the only one, and touches a row once before it looks: what is newer than the last look is all of it. */
  async function note(atMs: number): Promise<void> {
    const last = `0x${seen.toString(16).padStart(16, "0")}`;
    const { rows } = await run(`SELECT Id, Version FROM ${TABLE} WHERE Version > ${last} ORDER BY Version`);
    for (const { Id, Version } of rows) {
      const key = Number(Id);
      seen = Version as bigint;
      const before = latest.get(key);
      if (before) before.replacedAtMs = atMs;
      const entry: Entry = { key, version: seen.toString(16).padStart(16, "0") };
      book.push(entry);
      latest.set(key, entry);
    }
  }

  const inTurn = (inserts: number, updates: number): Promise<void> => {
    queue = queue.then(() => change(inserts, updates));
    return queue;
  };

  return {
    get count() {
      return keys;
    },
    change: inTurn,
    keepChanging() {
      const stop = new AbortController();
      const work = (async () => {
        while (!stop.signal.aborted) {
          await inTurn(2, 8);
          await pause(PACE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
        }
      })();
      return async () => {
        stop.abort();
        await work;
      };
    },
    book: () => book,
  };
}
