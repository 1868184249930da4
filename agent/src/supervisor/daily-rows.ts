/** Counts the rows that each rule lets be written in a day (`limits.rowsPerDay`), from midnight to midnight UTC. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { JournalLine } from "../journal/line.ts";

export interface DailyRows {
  /**
   * Reserves rows for one write, as many as the day has left.
   * @param mostRows what it may write by its own limits
   * @param perDay the rule's limit; undefined where it has none
   * @throws limit.rows when the day is used up, limit.sessions while other writes hold what is left
   */
  reserve(connection: string, rule: string, mostRows: number, perDay: number | undefined): RowPlace;
}

export interface RowPlace {
  readonly rows: number;
  /** Charges what came in; where nobody said how many, all that was reserved. Counts once. */
  release(rowsIn: number | undefined): void;
}

/** A rule's id may hold no space, so two pairs never become one. */
export const rowsKey = (connection: string, rule: string): string => `${connection} ${rule}`;

/** @param writtenToday rows by `rowsKey` since midnight UTC, from the journal at start */
export function createDailyRows(writtenToday: ReadonlyMap<string, number>, nowMs: () => number): DailyRows {
  const written = new Map(writtenToday);
  const reserved = new Map<string, number>();
  let day = dayOf(nowMs());
  const rollDay = (): void => {
    if (dayOf(nowMs()) === day) return;
    day = dayOf(nowMs());
    written.clear();
  };
  return {
    reserve(connection, rule, mostRows, perDay) {
      rollDay();
      const key = rowsKey(connection, rule);
      const left = perDay === undefined ? Number.POSITIVE_INFINITY : perDay - (written.get(key) ?? 0);
      if (left <= 0) {
        throw new SallyportError("limit.rows", `Rule ${rule} has written what the policy allows in a day.`, {
          limit: "rowsPerDay",
        });
      }
      const rows = Math.min(mostRows, left - (reserved.get(key) ?? 0));
      if (rows <= 0) {
        throw new SallyportError("limit.sessions", `Other writes of rule ${rule} hold what is left of the day.`);
      }
      reserved.set(key, (reserved.get(key) ?? 0) + rows);
      let ended = false;
      return {
        rows,
        release(rowsIn) {
          if (ended) return;
          ended = true;
          rollDay();
          reserved.set(key, (reserved.get(key) ?? 0) - rows);
          written.set(key, (written.get(key) ?? 0) + (rowsIn ?? rows));
        },
      };
    },
  };
}

/** What a write's lines of the journal say it took of its rule's day: what came in, or what was reserved for it. */
export const rowsTaken = (request: JournalLine | undefined, end: JournalLine | undefined): number =>
  end?.rowsIn ?? request?.rowsReserved ?? 0;

const dayOf = (ms: number): number => Math.floor(ms / 86_400_000);
