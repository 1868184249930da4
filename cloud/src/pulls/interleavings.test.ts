import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Change, Property } from "../store/tables.ts";
import { explore, type Setting } from "./test-model.ts";
import { canceller, holder, resetter, scheduler, starter } from "./test-model-actors.ts";
import { RULES, type Rules } from "./test-model-rules.ts";
import { newActor, RUN_ROW } from "./test-model-state.ts";

const [h1, h2] = [holder("h1"), holder("h2")];
const one = (name: string) => newActor(name, name);

const claimer = (name: string, run: string) => newActor(name, "claim", run);

/** Small bounds, each explored exhaustively: two holders, and beside them what may disturb them. */
const SETTINGS = {
  "two holders": { rows: 2, faults: 0, started: true, actors: [h1, h2] },
  "two holders and a lost reply": { rows: 1, faults: 1, publishes: false, started: true, actors: [h1, h2] },
  "one holder and two lost replies": { rows: 2, faults: 2, started: true, actors: [h1] },
  "two holders of a source without positions": {
    rows: 2,
    faults: 0,
    positions: false,
    started: true,
    actors: [h1, h2],
  },
  "a growing source": { rows: 1, faults: 0, publishes: false, started: true, actors: [h1, h2, one("grow")] },
  "changing columns": { rows: 2, faults: 0, publishes: false, started: true, actors: [h1, h2, one("reshape")] },
  "a reset": { rows: 1, faults: 0, publishes: false, started: true, actors: [h1, h2, resetter()] },
  "a reset and a lost reply": { rows: 1, faults: 1, started: true, actors: [h1, resetter()] },
  "a cancel": {
    rows: 1,
    faults: 0,
    publishes: false,
    started: true,
    ends: ["cancelled"],
    actors: [h1, h2, canceller("r1")],
  },
  "a cancel and a lost reply": {
    rows: 1,
    faults: 1,
    started: true,
    ends: ["cancelled"],
    actors: [h1, canceller("r1")],
  },
  "a start and a lost reply": { rows: 1, faults: 1, started: false, actors: [starter("r1"), h1] },
  "a start during a run": { rows: 1, faults: 0, started: true, actors: [h1, starter("r2")] },
  "two schedulers": { rows: 1, faults: 1, started: false, actors: [scheduler("r1"), scheduler("r2")] },
  "two runs and two publishers": { rows: 1, faults: 0, started: true, actors: [h1, starter("r2"), one("outs")] },
  "two decided runs": {
    rows: 1,
    faults: 0,
    publishes: false,
    started: true,
    before: [claimer("h1", "r1"), one("grow"), starter("r2"), claimer("h2", "r2")],
    actors: [one("outs"), { ...one("outs"), name: "outs 2" }],
  },
  "a janitor": {
    rows: 1,
    faults: 1,
    publishes: false,
    started: true,
    before: [claimer("h1", "r1"), one("grow"), starter("r2"), claimer("h2", "r2")],
    actors: [one("outs"), { ...one("outs"), name: "outs 2" }, one("expire")],
  },
  "a cleaner": { rows: 1, faults: 0, started: true, actors: [h1, h2, one("clean")] },
  "a tick": { rows: 1, faults: 0, started: false, actors: [starter("r1"), one("tick")] },
  "a hand-over after each slice": {
    rows: 4,
    faults: 0,
    handsOver: true,
    maxClaims: 1,
    mortal: false,
    started: true,
    actors: [h1],
  },
  "a cancel of a run that is handed over": {
    rows: 2,
    faults: 0,
    handsOver: true,
    publishes: false,
    started: true,
    ends: ["cancelled"],
    actors: [h1, canceller("r1")],
  },
  "sessions that kill their host": {
    rows: 1,
    faults: 0,
    poison: true,
    maxClaims: 2,
    started: true,
    ends: ["failed"],
    actors: [h1],
  },
} as const satisfies Record<string, Setting>;

type Where = keyof typeof SETTINGS;

/** A record's change within a transaction, changed. */
const patched = (changes: readonly Change[], row: RegExp, more: Record<string, Property>): Change[] =>
  changes.map((change) =>
    change.do !== "remove" && row.test(change.row)
      ? { ...change, properties: { ...change.properties, ...more } }
      : change,
  );
const without = (changes: readonly Change[], row: RegExp) => changes.filter((change) => !row.test(change.row));

/** Decides whatever the cursor says. */
const decideBlindly: Rules["decide"] = (records, ...rest) => {
  const { cursor, run, id } = records;
  const value = { ...cursor.value, activeRun: id, epoch: run.value.epoch };
  const step = RULES.decide({ ...records, cursor: { ...cursor, value } }, ...rest);
  return step && { ...step, changes: patched(step.changes, /^cursor$/, { epoch: BigInt(cursor.value.epoch) }) };
};
const leaveRunAtReset: Rules["reset"] = (cursor, _, ...rest) => RULES.reset(cursor, undefined, ...rest);
const activated = (records: Parameters<Rules["claim"]>[0]) => {
  const value = { ...records.cursor.value, activeRun: records.id };
  return { ...records, cursor: { ...records.cursor, value } };
};
const pick = ({ fence, holder: name }: Parameters<Rules["whatBecame"]>[1]) => ({ fence, holder: name });
const keepOpIdAtClaim: Rules["claim"] = (records, facts) =>
  RULES.claim(records, { ...facts, opId: records.run.value.opId });
const opIdBeforeFence: Rules["whatBecame"] = (found, writer) =>
  found?.opId === writer.opId ? "applied" : RULES.whatBecame(found, writer);
const keepActiveAtEnd: Rules["finish"] = (records, ...rest) => {
  const step = RULES.finish(records, ...rest);
  const { activeRun } = records.cursor.value;
  return { ...step, changes: activeRun === null ? step.changes : patched(step.changes, /^cursor$/, { activeRun }) };
};

/** Each rule, what stands in its place, where the model then fails, and how. */
const OFF: readonly (readonly [rule: string, off: Partial<Rules>, where: Where, how: RegExp])[] = [
  ["every update carries the ETag of its read", { etags: false }, "two holders", /./],
  [
    "of two schedulers one is refused",
    { enterDue: (...given) => without(RULES.enterDue(...given), /^cursor$/) },
    "two schedulers",
    /twice|hanging/,
  ],
  ["the wake entry comes before the change", { wakeFirst: false }, "a start and a lost reply", /forgotten/],
  ["the next wake entry comes before the old one goes", { nextWakeFirst: false }, "a tick", /forgotten/],
  [
    "only the active run is claimed",
    { claim: (records, facts) => RULES.claim(activated(records), facts) },
    "a start during a run",
    /./,
  ],
  [
    "one turn at a time",
    {
      giveTurn: (cursor, ...rest) =>
        RULES.giveTurn({ ...cursor, value: { ...cursor.value, activeRun: null } }, ...rest),
    },
    "a start during a run",
    /hanging/,
  ],
  [
    "a budget of claims",
    { claim: (records, facts) => RULES.claim(records, { ...facts, maxClaims: 99 }) },
    "sessions that kill their host",
    /hanging/,
  ],
  [
    "a claim is counted before the work",
    {
      claim: (records, facts) => {
        const verdict = RULES.claim(records, facts);
        return verdict.do === "claim"
          ? { ...verdict, changes: patched(verdict.changes, RUN_ROW, { claims: 0n }) }
          : verdict;
      },
    },
    "sessions that kill their host",
    /hanging/,
  ],
  [
    "a slice sets the count of claims to 0",
    {
      commitSlice: (run, ...rest) => {
        const step = RULES.commitSlice(run, ...rest);
        return { ...step, run: { ...step.run, claims: run.claims } };
      },
    },
    "a hand-over after each slice",
    /failed/,
  ],
  ["sessions read up to the planned bound", { boundPlanned: false }, "a growing source", /repeated/],
  ["a changed plan supersedes the run", { keepsPlan: () => true }, "changing columns", /mixed/],
  [
    "a superseded run and its successor are one transaction",
    {
      supersede: (...given) => ({
        ...RULES.supersede(...given),
        changes: without(RULES.supersede(...given).changes, /x$/),
      }),
    },
    "changing columns",
    /dropped|hanging/,
  ],
  [
    "an opId belongs to an operation, not to a try",
    { opIdOfOperation: false },
    "one holder and two lost replies",
    /repeated/,
  ],
  [
    "another's fence or holder: stop",
    { whatBecame: (found, writer) => RULES.whatBecame(found && { ...found, ...pick(writer) }, writer) },
    "two holders",
    /repeated|conflict/,
  ],
  [
    "opId mine: it was applied",
    { whatBecame: (found, writer) => RULES.whatBecame(found && { ...found, opId: "" }, writer) },
    "one holder and two lost replies",
    /repeated/,
  ],
  [
    "not running any more: stop",
    { whatBecame: (found, writer) => RULES.whatBecame(found && { ...found, state: "running" }, writer) },
    "a cancel of a run that is handed over",
    /revived/,
  ],
  [
    "every write of the run sets an opId, and the fence is tested before it",
    { claim: keepOpIdAtClaim, whatBecame: opIdBeforeFence },
    "two holders and a lost reply",
    /repeated/,
  ],
  ["blobs are named by their claim", { namesByFence: false }, "two holders", /conflict/],
  ["sessions resume after the last committed position", { resumes: false }, "two holders", /repeated/],
  [
    "the slice commit with the last rows says complete",
    { commitSlice: (run, id, slice) => RULES.commitSlice(run, id, slice, false) },
    "two holders of a source without positions",
    /repeated/,
  ],
  [
    "who claims a complete run opens no session",
    { completeOnlyDecides: false },
    "two holders of a source without positions",
    /repeated/,
  ],
  [
    "the decision and the cursor are one transaction",
    {
      decide: (...given) => {
        const step = RULES.decide(...given);
        return step && { ...step, changes: without(step.changes, /^cursor$/) };
      },
    },
    "two holders",
    /./,
  ],
  ["a reset ends the active run in its own transaction", { reset: leaveRunAtReset }, "a reset", /hanging/],
  ["the decision is refused after a reset", { decide: decideBlindly, reset: leaveRunAtReset }, "a reset", /./],
  [
    "a reset's next manifest replaces the others",
    { reset: (...given) => patched(RULES.reset(...given), /^cursor$/, { replaces: false }) },
    "a reset",
    /repeated/,
  ],
  ["an end gives the turn on", { finish: keepActiveAtEnd, clearTurn: () => undefined }, "a cancel", /hanging/],
  [
    "an end leaves an event",
    {
      finish: (...given) => ({ ...RULES.finish(...given), changes: without(RULES.finish(...given).changes, /^out/) }),
    },
    "a cancel",
    /untold/,
  ],
  ["events are told in the order of their keys", { outsInOrder: false }, "two decided runs", /disorder/],
  ["a manifest comes before its event", { manifestFirst: false }, "two holders", /told early/],
  ["an event is read again before its manifest is written", { outReadAgain: false }, "a janitor", /returned/],
  [
    "retention touches only published runs",
    {
      expire: (records, ...rest) => {
        const { run, cursor } = records;
        const patched = { ...run, value: { ...run.value, state: "published" as const } };
        return RULES.expire(
          { ...records, run: patched, cursor: { ...cursor, value: { ...cursor.value, published: 9 } } },
          ...rest,
        );
      },
    },
    "a janitor",
    /./,
  ],
  [
    "only a final run's blobs are cleaned",
    { leftovers: (run, ...rest) => RULES.leftovers({ ...run, state: "published" }, ...rest) },
    "a cleaner",
    /lost/,
  ],
];

/** Second lines of defence: one of these rules alone may be broken, because another one stands behind it. */
const SECOND_LINES: readonly (readonly [rule: string, off: Partial<Rules>, where: Where])[] = [
  ["a decision that ignores cursor and epoch meets the reset's ETag", { decide: decideBlindly }, "a reset"],
  [
    "a claim without an opId of its own has a fence of its own",
    { claim: keepOpIdAtClaim },
    "two holders and a lost reply",
  ],
  ["an opId tested first meets the claim's own", { whatBecame: opIdBeforeFence }, "two holders and a lost reply"],
  ["an ended run that keeps its turn loses it to a tick", { finish: keepActiveAtEnd }, "a cancel"],
];

describe("every interleaving ends with every row visible once", () => {
  for (const [name, setting] of Object.entries(SETTINGS)) {
    it(name, (t) => {
      const { states, violation } = explore(setting, RULES);
      t.diagnostic(`${states} states`);
      assert.equal(violation, undefined);
      assert.ok(states > 3);
    });
  }
});

describe("without this rule the model fails", () => {
  for (const [rule, off, where, how] of OFF) {
    it(rule, () => assert.match(explore(SETTINGS[where], { ...RULES, ...off }).violation ?? "nothing found", how));
  }
});

describe("with this rule broken another one still holds", () => {
  for (const [rule, off, where] of SECOND_LINES) {
    it(rule, () => assert.equal(explore(SETTINGS[where], { ...RULES, ...off }).violation, undefined));
  }
});
