/** A holder in the exhaustive model: claim, read, commit slices, decide, as claim.ts, hold.ts, slice.ts and work.ts do. */
import { type Run, replaceRun } from "../store/runs.ts";
import type { Records, Step } from "./run.ts";
import { errorOf, listHash } from "./run.ts";
import type { Rules } from "./test-model-rules.ts";
import { again, end, fork, goTo, send } from "./test-model-send.ts";
import { type Actor, cursorAt, RUN_ROW, runAt, type State, sliceAt, Violation, writeOf } from "./test-model-state.ts";

export const NOW = "2026-01-01T00:00:00.000Z";
const NOW_MS = Date.parse(NOW);
/** A slice of whatever a source without positions has. */
const ALL = 100;
const text43 = (text: string) => text.padEnd(43, "_");

export interface Scenario {
  /** Whether the source has positions to resume after; without, one slice holds all. */
  readonly positions: boolean;
  /** Whether holders may hand over after each slice. */
  readonly handsOver: boolean;
  /** Whether every session dies before its first slice. */
  readonly poison: boolean;
  readonly maxClaims: number;
  /** Whether holders publish what they decided; otherwise others do, and there is less to explore. */
  readonly publishes: boolean;
  /** Whether everybody may die in any state, rather than only when there is nothing left to do for them. */
  readonly mortal: boolean;
}

export const recordsOf = (state: State, run: string): Records => ({
  id: run,
  run: runAt(state.rows[`run|${run}`]!),
  cursor: cursorAt(state.rows.cursor!),
});

export const slicesOf = (state: State, run: string) =>
  Object.keys(state.rows)
    .filter((row) => row.startsWith(`run|${run}|slice|`))
    .sort()
    .map((row) => sliceAt(state.rows[row]!));

/** Reads cursor, cancel and run, and makes of them a write, or an end. */
export function prepareClaim(state: State, actor: Actor, rules: Rules, scenario: Scenario): void {
  const records = recordsOf(state, actor.run);
  const run = records.run.value;
  if (run.holder === actor.name) {
    // The answer was lost, the claim was not.
    if (run.state === "running") takeOver(state, actor);
    else actor.at = "outs";
    return;
  }
  const cancel = state.rows[`run|${actor.run}|cancel`] === undefined ? undefined : { who: "model", at: NOW };
  const facts = { cancel, nowMs: NOW_MS, now: NOW, holder: actor.name, opId: `${actor.name}.0`, leaseSeconds: 60 };
  const verdict = rules.claim(records, { ...facts, maxClaims: scenario.maxClaims });
  if (verdict.do === "leave") {
    end(state, actor);
    return;
  }
  if (verdict.do === "publish") {
    actor.at = "outs";
    return;
  }
  actor.write = writeOf(verdict.changes);
  actor.op = verdict.do;
  actor.at = "claiming";
}

function takeOver(state: State, actor: Actor): void {
  Object.assign(actor, { at: "look", chain: state.rows[`run|${actor.run}`]!, fresh: true, tries: 0, op: "", ops: 1 });
}

/** The write of the actor's operation, by the run as it knows it; undefined when the operation may not be done. */
function prepare(state: State, actor: Actor, rules: Rules): void {
  const opId = rules.opIdOfOperation ? `${actor.name}.${actor.ops}` : `${actor.name}.${actor.ops}.${actor.tries}`;
  const stale = actor.fresh ? [] : [`run|${actor.run}`];
  const step = stepOf(state, actor, rules, opId);
  if (!step) {
    // Refused by what the cursor says.
    actor.at = "outs";
    return;
  }
  const write = writeOf(step.changes, stale);
  actor.write = write;
  actor.at = "writing";
}

function stepOf(state: State, actor: Actor, rules: Rules, opId: string): Step | undefined {
  const run = runAt(actor.chain);
  const held = (next: Run | Step): Step => {
    const { run: changed, changes } = "changes" in next ? next : { run: next, changes: [] };
    const named = { ...changed, opId };
    return { run: named, changes: [replaceRun(actor.run, named, run.etag), ...changes] };
  };
  const records: Records = { id: actor.run, run, cursor: cursorAt(state.rows.cursor!) };
  switch (actor.op) {
    case "plan":
      return held(rules.fixPlan(run.value, planOf(state)));
    case "slice":
      return held(commitStaged(state, actor, rules, run.value));
    case "rest":
      return held(rules.completeRun(run.value, null));
    case "over":
      return held(rules.handOver(run.value));
    case "decide":
      return rules.decide(records, hashOf(state, actor.run), NOW, opId);
    case "cancel":
      return rules.finish(records, "cancelled", null, NOW, opId);
    default: {
      const changed = errorOf("request.plan_changed", "changed", NOW);
      return rules.supersede(records, `${actor.run}x`, changed, NOW, opId);
    }
  }
}

const hashOf = (state: State, run: string) => listHash(slicesOf(state, run));

/** What the source says of itself when a session begins. */
const planOf = (state: State) => ({
  plan: { to: String(state.source), key: ["Id"], isolation: "readCommitted" as const, consistency: "exact" as const },
  schema: text43(`shape-${state.shape}`),
  policy: text43("policy"),
  maskKey: null,
  asked: text43("asked"),
  source: { connection: "erp", connectionAt: null },
});

/** The rows that a session still has to give. */
function rowsLeft(state: State, actor: Actor, rules: Rules, positions: boolean): number[] {
  const run = runAt(actor.chain).value;
  const position = positions && (rules.resumes || actor.begun) ? run.position : null;
  const after = Number(position ?? run.from ?? 0);
  const to = rules.boundPlanned ? Number(run.plan?.to) : state.source;
  return Array.from({ length: Math.max(0, to - after) }, (_, at) => after + at + 1);
}

/** Stages a slice: its blob is written before its entity, once, under a name of its own. */
function stageSlice(state: State, actor: Actor, rules: Rules): void {
  const run = runAt(actor.chain).value;
  const positions = actor.size !== ALL;
  const rows = rowsLeft(state, actor, rules, positions).slice(0, positions ? actor.size : undefined);
  const list = `${actor.run}/${run.slices + 1}${rules.namesByFence ? `-f${run.fence}` : ""}/slice.json`;
  const content = `${actor.shape}:${rows.join(",")}`;
  if ((state.blobs[list] ?? content) !== content) throw new Violation(`conflict: ${list} has another content`);
  state.blobs[list] = content;
  Object.assign(actor, { staged: list, begun: true });
}

/** However often it is tried, it is the same slice. */
function commitStaged(state: State, actor: Actor, rules: Rules, run: Run): Step {
  const ids = (state.blobs[actor.staged] ?? ":").split(":")[1]!.split(",");
  const position = actor.size === ALL ? null : ids.at(-1)!;
  const counts = { rows: ids.length, bytes: 1, from: run.position, to: position };
  const slice = { list: actor.staged, sha256: text43(ids.join("-")), fence: run.fence, ...counts };
  const fixed = { schema: text43(`shape-${actor.shape}`), policy: run.policy ?? "" };
  return rules.commitSlice(run, actor.run, { ...slice, ...fixed }, actor.last);
}

const begin =
  (op: string, size = 0, last = false) =>
  (state: State, actor: Actor, rules: Rules) => {
    Object.assign(actor, { op, size, last, tries: 0, ops: actor.ops + 1 });
    if (op === "slice") stageSlice(state, actor, rules);
    prepare(state, actor, rules);
  };

const AFTER: Readonly<Record<string, string>> = { plan: "read", rest: "decide", over: "end" };

function afterWrite(state: State, actor: Actor, rules: Rules): void {
  const { op, last } = actor;
  actor.chain = state.rows[`run|${actor.run}`]!;
  actor.fresh = true;
  if (op === "over") {
    end(state, actor);
    return;
  }
  if (op === "slice" && last && !runAt(actor.chain).value.complete) {
    begin("rest")(state, actor, rules);
    return;
  }
  if (op === "slice") actor.at = last ? "decide" : "read";
  else actor.at = AFTER[op] ?? "outs";
  Object.assign(actor, { tries: 0, op: "", size: 0, last: false, staged: "" });
  if (actor.at === "outs") Object.assign(actor, { chain: -1, fresh: false });
}

/** What a holder may do next; undefined when it is past its run's end and publishes. */
export function holderSteps(state: State, at: number, rules: Rules, scenario: Scenario): State[] | undefined {
  const actor = state.actors[at]!;
  const go = (act: (next: State, one: Actor, given: Rules) => void) =>
    fork(state, at, (next, one) => act(next, one, rules));
  const run = actor.chain < 0 ? undefined : runAt(actor.chain).value;
  switch (actor.at) {
    case "bell":
      return Object.keys(state.rows)
        .filter((row) => RUN_ROW.test(row))
        .map((row) =>
          go((next, one) => {
            one.run = row.slice("run|".length);
            prepareClaim(next, one, rules, scenario);
          }),
        );
    case "claim":
      return [go((next, one) => prepareClaim(next, one, rules, scenario))];
    case "claiming":
      return send(state, at, rules, {
        taken: (next, one) => (one.op === "end" ? goTo("outs")(next, one) : takeOver(next, one)),
        refused: again("claim"),
        silent: again("claim"),
      });
    case "look": {
      if (state.rows[`run|${actor.run}|cancel`] !== undefined) return [go(begin("cancel"))];
      if (run?.complete && rules.completeOnlyDecides) return [go(goTo("decide"))];
      // A session that dies takes its host with it.
      if (scenario.poison) return [go(end)];
      if (run?.plan === null) {
        const plan = (next: State, actor: Actor) => {
          actor.shape = next.shape;
          begin("plan")(next, actor, rules);
        };
        return [go(plan)];
      }
      return [go(rejoin(run!))];
    }
    case "read":
      return sessionSteps(state, actor, rules, scenario).map(go);
    case "writing":
      return send(state, at, rules, {
        taken: (next, one) => afterWrite(next, one, rules),
        refused: goTo("back"),
        silent: goTo("back"),
      });
    case "back":
      return [go(readBack)];
    case "decide":
      return [go(begin(state.rows[`run|${actor.run}|cancel`] === undefined ? "decide" : "cancel"))];
    default:
      return undefined;
  }
}

/** A later session is given the plan; what may differ is the source's shape. */
const rejoin = (run: Run) => (state: State, actor: Actor, rules: Rules) => {
  const fixed = planOf(state);
  const same = rules.keepsPlan(run, { ...fixed, plan: { ...fixed.plan, to: run.to } });
  actor.shape = state.shape;
  if (same) actor.at = "read";
  else begin("change")(state, actor, rules);
};

function sessionSteps(state: State, actor: Actor, rules: Rules, scenario: Scenario) {
  const left = rowsLeft(state, actor, rules, scenario.positions).length;
  if (!scenario.positions) return [begin("slice", ALL, true)];
  if (left === 0) return [begin("rest")];
  const pieces = Array.from({ length: left }, (_, at) => at + 1);
  const slices = pieces.map((size) => begin("slice", size, size === left));
  // The last rows may be committed at a checkpoint, before the session says that it was the last one.
  slices.push(begin("slice", left, false));
  if (scenario.handsOver && runAt(actor.chain).value.slices > 0) slices.push(begin("over"));
  return slices;
}

function readBack(state: State, actor: Actor, rules: Rules): void {
  const value = state.rows[`run|${actor.run}`];
  const held = runAt(actor.chain).value;
  const opId = rules.opIdOfOperation ? `${actor.name}.${actor.ops}` : `${actor.name}.${actor.ops}.${actor.tries}`;
  const found = value === undefined ? undefined : runAt(value).value;
  const became = rules.whatBecame(found, { fence: held.fence, holder: held.holder, opId });
  if (became === "applied") {
    afterWrite(state, actor, rules);
    return;
  }
  if (became !== "again" || actor.tries >= 3) {
    Object.assign(actor, { at: "outs", chain: -1, fresh: false });
    return;
  }
  Object.assign(actor, { chain: value, fresh: true, tries: actor.tries + 1 });
  prepare(state, actor, rules);
}
