/** Counts what each rule lets be written in a day, from midnight to midnight UTC: rows, passwords and deletions of a directory. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { ReadLine } from "../journal/read-line.ts";
import { createDayTurn } from "./day.ts";

/**
 * The limit of a rule that a write counts against, by its name in the policy. No request says what run it is of in a way that
 * an agent could believe, so `deletesPerRun` counts a day as one run.
 */
export type DailyLimit = "rowsPerDay" | "passwordSetsPerDay" | "deletesPerRun";

/** A write, as its rule's day counts it. In a directory a row is one password or one deletion. */
export interface Writing {
  readonly rule: string;
  readonly limit: DailyLimit;
  /** What it may write by its own limits. */
  readonly rows: number;
  /** The rule's limit; undefined where it has none. */
  readonly perDay: number | undefined;
}

/** Of a write that is counted. An `add` in a directory is one where it sets a password. */
export const dailyLimitOf = ({ op, action }: Pick<ReadLine, "op" | "action">): DailyLimit => {
  if (op !== "ad.write") return "rowsPerDay";
  return action === "delete" ? "deletesPerRun" : "passwordSetsPerDay";
};

export interface DailyRows {
  /**
   * Reserves rows for one write, as many as the day has left.
   * @throws limit.rows when the day is used up, limit.sessions while other writes hold what is left
   */
  reserve(connection: string, writing: Writing): RowPlace;
}

export interface RowPlace {
  readonly rows: number;
  /** Charges what came in; where nobody said how many, all that was reserved. Counts once. */
  release(rowsIn: number | undefined): void;
}

/** A rule's id may hold no space, so two of these never become one. */
export const rowsKey = (connection: string, rule: string, limit: DailyLimit = "rowsPerDay"): string =>
  `${connection} ${rule} ${limit}`;

/** @param writtenToday rows by `rowsKey` since midnight UTC, from the journal at start */
export function createDailyRows(writtenToday: ReadonlyMap<string, number>, nowMs: () => number): DailyRows {
  const written = new Map(writtenToday);
  const reserved = new Map<string, number>();
  const isNewDay = createDayTurn(nowMs);
  const rollDay = (): void => {
    if (isNewDay()) written.clear();
  };
  return {
    reserve(connection, { rule, limit, rows: mostRows, perDay }) {
      rollDay();
      const key = rowsKey(connection, rule, limit);
      const left = perDay === undefined ? Number.POSITIVE_INFINITY : perDay - (written.get(key) ?? 0);
      if (left <= 0) {
        throw new SallyportError("limit.rows", `Rule ${rule} has used up its ${limit}: the day ends at midnight UTC.`, {
          limit,
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
export const rowsTaken = (request: ReadLine | undefined, end: ReadLine | undefined): number =>
  end?.rowsIn ?? request?.rowsReserved ?? 0;
