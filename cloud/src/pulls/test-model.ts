/**
 * The exhaustive model: from a pull with a source of a few rows, every order in which its actors' reads and writes can
 * happen, breadth first. In each state all actors may have died: then one that works alone must bring the pull to its
 * end with every row visible once. An actor that goes on later than another one thinks is a zombie.
 */

import { insertCursor, insertRun } from "../store/runs.ts";
import { newRun } from "./run.ts";
import { holder, isPending, runIds, starter, stepsOf } from "./test-model-actors.ts";
import { NOW, type Scenario } from "./test-model-holder.ts";
import type { Rules } from "./test-model-rules.ts";
import { landings } from "./test-model-send.ts";
import {
  type Actor,
  apply,
  copy,
  cursorAt,
  newActor,
  runAt,
  type State,
  stateText,
  storedText,
  Violation,
  writeOf,
} from "./test-model-state.ts";

export interface Setting extends Partial<Scenario> {
  /** Ids 1 to this are in the source at the start. */
  readonly rows: number;
  /** Replies that may be lost. */
  readonly faults: number;
  readonly actors: readonly Actor[];
  /** Who has come and gone, one after the other, before the exploration begins. */
  readonly before?: readonly Actor[];
  /** Whether run `r1` is active at the start, rather than started by an actor. */
  readonly started: boolean;
  /** Ends that a run may come to besides `published`. */
  readonly ends?: readonly string[];
}

export interface Found {
  readonly states: number;
  /** What was wrong, and the way there; undefined when nothing ever is. */
  readonly violation: string | undefined;
}

const DUE = "2025-12-31T23:59:00.000Z";

function start(setting: Setting): State {
  const state: State = {
    ...{ rows: {}, blobs: {}, seen: [], there: [], told: [], wakes: [], late: [], lateLanded: false, shape: 1 },
    ...{ source: setting.rows, faults: setting.faults, actors: [] },
  };
  const counts = { epoch: 1, seq: 0, published: 0, oldest: 1, nextFence: 1 };
  const nothing = { watermark: null, freshAt: null, freshness: null, removed: null };
  const cursor = { ...counts, ...nothing, replaces: false, nextDue: DUE };
  const times = { now: NOW, deadline: "2026-01-02T00:00:00.000Z", leaseSeconds: 60 };
  const run = newRun({ kind: "manual", epoch: 1, opId: "r1.n", ...times });
  const changes = setting.started
    ? [insertCursor({ ...cursor, activeRun: "r1" }), insertRun("r1", run)]
    : [insertCursor({ ...cursor, activeRun: null })];
  apply(state, writeOf(changes), true);
  if (setting.started) state.wakes.push("start");
  return state;
}

/** Visits every state that can be reached, and stops at the first that is wrong. */
export function explore(setting: Setting, rules: Rules, mostStates = 400_000): Found {
  const scenario: Scenario = {
    ...{ positions: true, handsOver: false, poison: false, maxClaims: 9, publishes: true, mortal: true },
    ...setting,
  };
  const first = (setting.before ?? []).reduce((state, actor) => alone(state, actor, rules, scenario), start(setting));
  first.actors = setting.actors.map((actor) => ({ ...actor }));
  const known = new Set([stateText(first)]);
  const healed = new Set<string>();
  const check = (state: State, isLast: boolean) => {
    const stored = storedText(state);
    if (healed.has(stored) || !(isLast || scenario.mortal)) return;
    healed.add(stored);
    heal(state, rules, { ...scenario, publishes: true }, [
      "published",
      "superseded",
      "expired",
      ...(setting.ends ?? []),
    ]);
  };
  let wave = [first];
  for (let depth = 0; wave.length > 0; depth++) {
    const next: State[] = [];
    for (const state of wave) {
      try {
        const steps = state.actors.flatMap((_, at) => stepsOf(state, at, rules, scenario));
        const after = [...steps, ...landings(state, rules)];
        check(state, after.length === 0);
        next.push(...after.filter((one) => isNew(known, one)));
      } catch (thrown) {
        if (!(thrown instanceof Violation)) throw thrown;
        return { states: known.size, violation: `${thrown.message} (after ${depth} steps: ${placesOf(state)})` };
      }
    }
    if (known.size > mostStates) throw new RangeError(`more than ${mostStates} states`);
    wave = next;
  }
  return { states: known.size, violation: undefined };
}

function isNew(known: Set<string>, state: State): boolean {
  const before = known.size;
  return known.add(stateText(state)).size > before;
}

const placesOf = (state: State) => state.actors.map(({ name, at, op }) => `${name} ${at} ${op}`).join(", ");

/** Everybody at work has died here. The wake index, or the slow re-index, brings somebody who works alone and unharmed. */
function heal(from: State, rules: Rules, scenario: Scenario, ends: readonly string[]): void {
  let state = copy(from);
  Object.assign(state, { late: [], faults: 0, actors: [] });
  readOnce(state);
  if (isPending(state) && state.wakes.length === 0 && !state.lateLanded) {
    throw new Violation("forgotten: something is left to do, and no wake entry says so");
  }
  state = finishAll(state, rules, scenario);
  const fresh = { ...scenario, poison: false };
  state = alone(state, { ...starter("z"), at: "start", op: "wake start" }, rules, fresh);
  state = finishAll(state, rules, fresh);
  checkEnds(state, ends);
  const rows = readOnce(state);
  if (rows.length !== state.source) throw new Violation(`lost: of ${state.source} rows there are ${rows.join(" ")}`);
}

function checkEnds(state: State, ends: readonly string[]): void {
  const runs = runIds(state).map((id) => ({ id, ...runAt(state.rows[`run|${id}`]!).value }));
  for (const { id, state: end, error } of runs) {
    if (!ends.includes(end)) throw new Violation(`${end}: run ${id} ended so`);
    if (!state.told.includes(id)) throw new Violation(`untold: nobody heard of the end of run ${id}`);
    if (error?.code === "request.plan_changed" && !runs.some((run) => run.id === `${id}x`)) {
      throw new Violation(`dropped: run ${id} has no successor`);
    }
  }
  if (runs.filter(({ kind }) => kind === "scheduled").length > 1) throw new Violation("twice: one due time, two runs");
}

function finishAll(from: State, rules: Rules, scenario: Scenario): State {
  let state = from;
  for (let rounds = 0; isPending(state); rounds++) {
    if (rounds === 12) throw new Violation("hanging: something is left to do, and nobody can");
    const changes = clearing(state, rules);
    if (changes) apply(state, writeOf(changes), true);
    state = alone(state, newActor(`p${rounds}`, "outs"), rules, scenario);
    const { activeRun } = cursorAt(state.rows.cursor!).value;
    if (activeRun === null) continue;
    state = alone(state, { ...holder(`x${rounds}`), at: "claim", run: activeRun }, rules, scenario);
  }
  return state;
}

function clearing(state: State, rules: Rules) {
  const cursor = cursorAt(state.rows.cursor!);
  const row = state.rows[`run|${cursor.value.activeRun}`];
  return rules.clearTurn(cursor, row === undefined ? undefined : runAt(row));
}

/** One actor's way to its end, always by the first of its choices. */
function alone(from: State, actor: Actor, rules: Rules, scenario: Scenario): State {
  let state: State = { ...copy(from), actors: [{ ...actor }] };
  for (let steps = 0; steps < 200; steps++) {
    const [next] = stepsOf(state, 0, rules, scenario);
    if (!next) return state;
    state = next;
  }
  throw new Violation("hanging: an actor alone never ends");
}

/** What a reader has who folds all manifests in order. */
function readOnce(state: State): string[] {
  let rows: string[] = [];
  for (const manifest of state.seen) {
    const [replaces, ids] = manifest.split(":");
    if (replaces === "R") rows = [];
    rows.push(...(ids === "" ? [] : ids!.split(",")));
  }
  if (new Set(rows).size < rows.length) throw new Violation(`repeated: readers have ${rows.join(" ")}`);
  return rows;
}
