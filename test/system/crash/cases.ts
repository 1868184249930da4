/** The designed crashes, as data: who is killed, at which step of a run, and whether before or after it was done. */
import type { When } from "./gate.ts";
import type { Victim } from "./lane.ts";
import type { Step } from "./seen.ts";

export interface Case {
  readonly victim: Victim;
  readonly step: Step;
  readonly when: When;
  /** Which one of that step, counted from the start of the run; the first where it is not given. */
  readonly nth?: number;
  /** A run that reads for about five seconds: several slices, renewals, a hand-over. */
  readonly slow?: boolean;
}

interface Place {
  readonly step: Step;
  readonly nth?: number;
  readonly slow?: boolean;
}

/** Every write of a run, every talk with queue and agent, and a read among them. */
const HOST: readonly Place[] = [
  { step: "wake entry" },
  { step: "enter" },
  { step: "ring" },
  { step: "claim" },
  { step: "read", nth: 6 },
  { step: "dial" },
  { step: "request" },
  { step: "plan" },
  { step: "block" },
  { step: "block list" },
  { step: "slice list" },
  { step: "slice commit" },
  { step: "decide" },
  { step: "list read" },
  { step: "manifest" },
  { step: "tell" },
  { step: "bell answered" },
  { step: "wake entry taken" },
  { step: "renewal", slow: true },
  { step: "frame", slow: true },
  { step: "slice commit", nth: 2, slow: true },
  { step: "hand over", slow: true },
  { step: "claim", nth: 2, slow: true },
];

/** Whoever is killed here, the host goes on and has to find out. */
const OTHERS: Readonly<Record<Exclude<Victim, "host">, readonly Place[]>> = {
  executor: [
    { step: "claim" },
    { step: "request" },
    { step: "plan" },
    { step: "block" },
    { step: "block list", slow: true },
  ],
  supervisor: [
    { step: "claim" },
    { step: "dial" },
    { step: "request" },
    { step: "block" },
    { step: "slice commit", slow: true },
  ],
  relay: [{ step: "claim" }, { step: "dial" }, { step: "request" }, { step: "plan" }, { step: "renewal", slow: true }],
  queue: [
    { step: "enter" },
    { step: "ring" },
    { step: "claim" },
    { step: "hand over", slow: true },
    { step: "decide" },
    { step: "bell answered" },
  ],
};

const WHENS: readonly When[] = ["before", "after"];

export const CASES: readonly Case[] = [
  ...HOST.flatMap((place) => WHENS.map((when) => ({ victim: "host" as const, ...place, when }))),
  ...Object.entries(OTHERS).flatMap(([victim, places]) =>
    places.map((place) => ({ victim: victim as Victim, ...place, when: "before" as const })),
  ),
];

/** Steps of a run that the scheduler starts. They wait for the minute, so they have a lane of their own. */
export const SCHEDULED_CASES: readonly Case[] = [
  { victim: "host", step: "enter", when: "before" },
  { victim: "host", step: "enter", when: "after" },
  { victim: "host", step: "ring", when: "before" },
];

const TIMES: Readonly<Record<number, string>> = { 2: "second ", 6: "sixth " };

export const nameOf = ({ victim, step, when, nth = 1 }: Case): string =>
  `${victim} killed ${when} the ${TIMES[nth] ?? ""}${step}`;
