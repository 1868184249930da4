/** Everybody in the exhaustive model but a run's holder: who publishes, starts, resets, cancels, takes away, ticks. */

import { insertCancel } from "../store/runs.ts";
import type { Change } from "../store/tables.ts";
import { listHash, newRun } from "./run.ts";
import { holderSteps, NOW, prepareClaim, recordsOf, type Scenario, slicesOf } from "./test-model-holder.ts";
import type { Rules } from "./test-model-rules.ts";
import { type Act, again, end, fork, goTo, send } from "./test-model-send.ts";
import {
  type Actor,
  cursorAt,
  ETAG,
  newActor,
  outAt,
  RUN_ROW,
  runAt,
  type State,
  Violation,
  writeOf,
} from "./test-model-state.ts";

/** When something expires: another time than that of its end. */
const LATER = "2026-01-03T00:00:00.000Z";

export const runIds = (state: State): string[] =>
  Object.keys(state.rows)
    .filter((row) => RUN_ROW.test(row))
    .map((row) => row.slice("run|".length))
    .sort();
const outRows = (state: State): string[] =>
  Object.keys(state.rows)
    .filter((row) => row.startsWith("out|"))
    .sort();

/** Whether anything has still to happen to what is stored. */
export function isPending(state: State): boolean {
  if (outRows(state).length > 0 || cursorAt(state.rows.cursor!).value.activeRun !== null) return true;
  const open = ["queued", "running", "waiting", "decided"];
  return runIds(state).some((run) => open.includes(runAt(state.rows[`run|${run}`]!).value.state));
}

/** All states that one actor's next step may lead to. */
export function stepsOf(state: State, at: number, rules: Rules, scenario: Scenario): State[] {
  const actor = state.actors[at]!;
  if (actor.at === "end") return [];
  const working = holderSteps(state, at, rules, scenario);
  if (working) return working;
  const go = (act: Act) => [fork(state, at, act)];
  const write = (where: string, taken: Act) =>
    send(state, at, rules, { taken, refused: again(where), silent: again(where) });
  switch (actor.at) {
    case "outs":
      if (!scenario.publishes && !actor.name.startsWith("outs")) return go(end);
      return listOuts(state, at, rules);
    case "publish":
      return go((next, one) => publish(next, one, rules));
    case "take away":
      return go((next, one) => prepareTold(next, one, rules));
    case "taking away":
      return write("take away", goTo("outs"));
    case "turn":
      return go((next, one) => prepareTurn(next, one, rules));
    case "turning":
      return write("turn", (next, one) => (one.op === "active" ? end : goTo("turn"))(next, one));
    case "wake": {
      const [, where] = actor.op.split(" ");
      return go((next, one) => {
        if (rules.wakeFirst) next.wakes.push(one.name);
        one.at = where!;
      });
    }
    case "late wake":
      return go((next, one) => {
        next.wakes.push(one.name);
        end(next, one);
      });
    case "start":
    case "due":
      return go((next, one) => prepareStart(next, one, rules));
    case "starting":
      return write(actor.op === "wake due" ? "due" : "start", wakeAfter(rules));
    case "reset":
      return go((next, one) => prepareReset(next, one, rules));
    case "resetting":
      return write("reset", wakeAfter(rules));
    case "note":
      return go((_, one) => prepared(one, "noting", [insertCancel(one.run, { who: "model", at: NOW })]));
    case "noting":
      return send(state, at, rules, {
        taken: (next, one) => prepareClaim(next, one, rules, scenario),
        refused: end,
        silent: end,
      });
    case "grow":
      return go((next, one) => {
        next.source += 1;
        end(next, one);
      });
    case "reshape":
      return go((next, one) => {
        next.shape += 1;
        end(next, one);
      });
    default:
      return takeBack(state, at, rules);
  }
}

function prepared(actor: Actor, where: string, changes: readonly Change[]): void {
  actor.write = writeOf(changes);
  actor.at = where;
}

const wakeAfter = (rules: Rules): Act => (rules.wakeFirst ? end : goTo("late wake"));

function listOuts(state: State, at: number, rules: Rules): State[] {
  const rows = outRows(state);
  if (rows.length === 0) return [fork(state, at, goTo("turn"))];
  const next = rules.outsInOrder ? rows.slice(0, 1) : rows;
  return next.map((row) =>
    fork(state, at, (_, actor) => {
      Object.assign(actor, { out: row, outValue: state.rows[row]!, at: "publish", run: "", tries: 0, op: "" });
    }),
  );
}

/** The read of the event's entity and what follows from it at once: the manifest, and the telling. */
function publish(state: State, actor: Actor, rules: Rules): void {
  const there = state.rows[actor.out] !== undefined;
  if (rules.outReadAgain && !there) {
    actor.at = "outs";
    return;
  }
  const { run, seq } = outAt(actor.outValue);
  if (seq !== null && rules.manifestFirst) writeManifest(state, run, seq);
  const { oldest } = cursorAt(state.rows.cursor!).value;
  if (seq !== null && seq >= oldest && !state.there.includes(seq)) {
    throw new Violation(`told early: event ${seq} comes before its manifest`);
  }
  if (!state.told.includes(run)) state.told = [...state.told, run].sort();
  actor.at = "take away";
}

function writeManifest(state: State, run: string, seq: number): void {
  const { value } = runAt(state.rows[`run|${run}`]!);
  const slices = slicesOf(state, run);
  if (listHash(slices) !== value.listHash) throw new Violation(`mixed: run ${run} has other slices than were decided`);
  if (new Set(slices.map(({ schema }) => schema)).size > 1) throw new Violation(`mixed: run ${run} has two schemas`);
  const parts = slices.map(({ list }) => {
    const content = state.blobs[list];
    if (content === undefined) throw new Violation(`lost: ${list} is gone`);
    return content.split(":")[1];
  });
  const manifest = `${value.replaces ? "R" : ""}:${parts.filter((part) => part !== "").join(",")}`;
  const before = state.seen[seq - 1];
  if (before !== undefined && before !== manifest) throw new Violation(`conflict: manifest ${seq} in two versions`);
  if (state.there.includes(seq)) return;
  if (before !== undefined) throw new Violation(`returned: manifest ${seq} was taken back and is there again`);
  if (state.seen.length !== seq - 1) throw new Violation(`disorder: manifest ${seq} comes before ${seq - 1}`);
  state.seen.push(manifest);
  state.there.push(seq);
}

function prepareTold(state: State, actor: Actor, rules: Rules): void {
  const value = state.rows[actor.out];
  if (value === undefined) {
    actor.at = "outs";
    return;
  }
  const row = { partition: "p", row: actor.out, etag: ETAG, timestampMs: 0, readAtMs: 0, properties: {} };
  const out = outAt(value);
  const { run, cursor } = recordsOf(state, out.run);
  const { changes } = rules.toldStep({ value: out, etag: ETAG, row }, run, cursor, `${actor.name}.t`);
  prepared(actor, "taking away", changes);
}

function prepareTurn(state: State, actor: Actor, rules: Rules): void {
  const next = runIds(state).find((run) => runAt(state.rows[`run|${run}`]!).value.state === "queued");
  const cursor = cursorAt(state.rows.cursor!);
  if (next === undefined) {
    end(state, actor);
    return;
  }
  const turn = rules.giveTurn(cursor, { id: next, run: recordsOf(state, next).run }, NOW, `${actor.name}.g`);
  if (!turn) {
    end(state, actor);
    return;
  }
  prepared(actor, "turning", turn.changes);
  actor.op = turn.active ? "active" : "outdated";
}

function prepareStart(state: State, actor: Actor, rules: Rules): void {
  const id = actor.name;
  const cursor = cursorAt(state.rows.cursor!);
  if (state.rows[`run|${id}`] !== undefined) {
    wakeAfter(rules)(state, actor);
    return;
  }
  const { epoch, nextDue, activeRun } = cursor.value;
  const times = { now: NOW, deadline: "2026-01-02T00:00:00.000Z", leaseSeconds: 60 };
  if (actor.at === "start") {
    const run = newRun({ kind: "manual", epoch, opId: `${id}.n`, ...times });
    prepared(actor, "starting", rules.enter(cursor, id, run));
    return;
  }
  if (nextDue === null) {
    wakeAfter(rules)(state, actor);
    return;
  }
  const run = newRun({ kind: "scheduled", epoch, opId: `${id}.n`, ...times });
  prepared(actor, "starting", rules.enterDue(cursor, id, run, activeRun === null ? "start" : "queue", null));
}

function prepareReset(state: State, actor: Actor, rules: Rules): void {
  const cursor = cursorAt(state.rows.cursor!);
  // Nobody resets twice: an earlier try that was taken is seen by its epoch.
  if (cursor.value.epoch > 1) {
    wakeAfter(rules)(state, actor);
    return;
  }
  const id = cursor.value.activeRun;
  const active = id === null ? undefined : { id, run: recordsOf(state, id).run };
  prepared(actor, "resetting", rules.reset(cursor, active, {}, NOW, `${actor.name}.r`));
}

/** The janitor, who expires and cleans, and the tick with its wake entries. */
function takeBack(state: State, at: number, rules: Rules): State[] {
  const actor = state.actors[at]!;
  const on = (act: Act) => fork(state, at, act);
  switch (actor.at) {
    case "expire":
      return runIds(state).flatMap((run) => {
        const step = rules.expire(recordsOf(state, run), LATER, `${actor.name}.e`);
        if (!step) return [];
        return [
          on((_, one) => {
            Object.assign(one, { run, size: step.run.seq ?? 0 });
            prepared(one, "expiring", step.changes);
          }),
        ];
      });
    case "expiring":
      return send(state, at, rules, { taken: goTo("unlink"), refused: end, silent: end });
    case "unlink":
      return [
        on((next, one) => {
          next.there = next.there.filter((seq) => seq !== one.size);
          end(next, one);
        }),
      ];
    case "clean":
      return runIds(state).map((run) =>
        on((next, one) => {
          const folders = slicesOf(state, run).map(({ list }) => list.slice(0, list.lastIndexOf("/")));
          const blobs = Object.keys(state.blobs).filter((path) => path.startsWith(`${run}/`));
          for (const path of rules.leftovers(recordsOf(state, run).run.value, blobs, new Set(folders))) {
            delete next.blobs[path];
          }
          end(next, one);
        }),
      );
    case "tick": {
      // Who is between its entry and its change writes a new one in time: theirs is not due.
      const due = state.wakes.findIndex((name) => state.actors.every((one) => one.name !== name || one.at === "end"));
      if (due < 0) return [];
      const next = rules.nextWakeFirst ? "next wake" : "old wake";
      return [on((_, one) => Object.assign(one, { at: next, size: due, last: isPending(state) }))];
    }
    case "next wake":
      return [
        on((next, one) => {
          if (one.last) next.wakes.push("tick");
          if (rules.nextWakeFirst) one.at = "old wake";
          else end(next, one);
        }),
      ];
    default:
      return [
        on((next, one) => {
          next.wakes.splice(one.size, 1);
          if (rules.nextWakeFirst) end(next, one);
          else one.at = "next wake";
        }),
      ];
  }
}

/** A holder that will answer some doorbell. */
export const holder = (name: string): Actor => newActor(name, "bell");
export const starter = (run: string): Actor => ({ ...newActor(run, "wake"), op: "wake start" });
export const scheduler = (run: string): Actor => ({ ...newActor(run, "wake"), op: "wake due" });
export const resetter = (): Actor => ({ ...newActor("reset", "wake"), op: "wake reset" });
export const canceller = (run: string): Actor => ({ ...newActor("cancel", "wake", run), op: "wake note" });
