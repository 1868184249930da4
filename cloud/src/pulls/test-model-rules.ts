/**
 * What the model runs: the product's own pure functions, and beside them, as plain switches, the few rules that live in
 * the order of reads and writes around them. A test replaces one of them to see that the model notices.
 */
import { whatBecame } from "./became.ts";
import { expire, leftovers } from "./retention.ts";
import { claim, commitSlice, completeRun, decide, finish, fixPlan, handOver, keepsPlan, supersede } from "./run.ts";
import { toldStep } from "./tell.ts";
import { clearTurn, enter, enterDue, giveTurn, reset } from "./turns.ts";

const functions = {
  ...{ claim, commitSlice, completeRun, decide, finish, fixPlan, handOver, keepsPlan, supersede },
  ...{ whatBecame, toldStep, clearTurn, enter, enterDue, giveTurn, reset, expire, leftovers },
};
const switches = {
  /** Every update carries the ETag of its read. */
  etags: true,
  /** All tries of an operation carry one opId. */
  opIdOfOperation: true,
  /** The wake entry is written before the change that it serves. */
  wakeFirst: true,
  /** A tick writes the next entry before it deletes the old one. */
  nextWakeFirst: true,
  /** Blobs are named by their claim's fence. */
  namesByFence: true,
  /** A session reads up to the run's planned bound, not up to the source's end. */
  boundPlanned: true,
  /** A session goes on after the last committed position. */
  resumes: true,
  /** Who claims a complete run opens no session. */
  completeOnlyDecides: true,
  /** An event's entity is read again directly before its manifest is written. */
  outReadAgain: true,
  /** Only the entity with the smallest key is told. */
  outsInOrder: true,
  /** A manifest is written before its event is told and taken away. */
  manifestFirst: true,
};

export type Rules = typeof functions & typeof switches;
export const RULES: Rules = { ...functions, ...switches };
