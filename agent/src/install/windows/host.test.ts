import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  advance,
  begin,
  type Host,
  type HostAction,
  type HostEvent,
  STOP_WITHIN_MS,
  type Step,
  WAIT_HINT_MS,
} from "./host.ts";

/** Goes through the events in turn, a second apart unless an event says when; answers the last step. */
function after(...events: readonly (HostEvent | readonly [HostEvent, atMs: number])[]): Step {
  let step = begin(0);
  let nowMs = 0;
  for (const each of events) {
    const [event, atMs] = Array.isArray(each) ? each : [each as HostEvent, nowMs + 1_000];
    nowMs = atMs;
    step = advance(step.host, event, nowMs);
  }
  return step;
}

const spawned: HostEvent = { event: "spawned", pid: 4711 };
const ended = (code: number | null): HostEvent => ({ event: "ended", code });
const [stop, tick, again, tooLate] = (["stop", "tick", "again", "tooLate"] as const).map((event) => ({ event }));
const states = ({ actions }: Step) =>
  actions.flatMap((action) => (action.do === "report" ? [[action.status.state, action.status.exitCode]] : []));
const doings = ({ actions }: Step) => actions.map((action) => action.do).filter((each) => each !== "note");
const notes = ({ actions }: Step) => actions.flatMap((action) => (action.do === "note" ? [action.note.id] : []));
const waitMs = ({ actions }: Step) => actions.find((action) => action.do === "wait")?.forMs;

describe("the service host", () => {
  it("says that it starts, starts the agent, and says that it runs once that is there", () => {
    assert.deepEqual(begin(0).actions, [
      { do: "report", status: { state: "startPending", checkPoint: 1, waitHintMs: WAIT_HINT_MS, exitCode: 0 } },
      { do: "spawn" },
    ] satisfies HostAction[]);
    const running = after(spawned);
    assert.deepEqual(running.actions, [
      { do: "report", status: { state: "running", checkPoint: 0, waitHintMs: 0, exitCode: 0 } },
      { do: "note", note: { id: "started", pid: 4711 } },
    ]);
  });

  it("counts check points while something is pending, and only then", () => {
    const points = (step: Step) =>
      step.actions.map((action) => (action.do === "report" ? action.status.checkPoint : 0));
    assert.deepEqual(points(after(tick!)), [2]);
    assert.deepEqual(points(after(tick!, tick!)), [3]);
    assert.deepEqual(after(spawned, tick!).actions, []);
    assert.deepEqual(points(after(spawned, stop!, tick!)), [2]);
    assert.deepEqual(after(spawned, ended(1), tick!).actions, []);
  });

  it("asks the agent to stop, once, and has stopped when that has", () => {
    assert.deepEqual(doings(after(spawned, stop!)), ["report", "askToStop"]);
    assert.deepEqual(states(after(spawned, stop!)), [["stopPending", 0]]);
    assert.deepEqual(after(spawned, stop!, stop!).actions, []);
    // Whatever it ended with: it was asked for.
    for (const code of [0, 1, 75, 78, null]) {
      const step = after(spawned, stop!, ended(code));
      assert.deepEqual([states(step), notes(step)], [[["stopped", 0]], ["stopped"]], `${code}`);
    }
  });

  it("ends an agent that takes too long, and goes on waiting for its end", () => {
    const step = after(spawned, stop!, [tooLate!, STOP_WITHIN_MS + 2_000]);
    assert.deepEqual([doings(step), notes(step)], [["kill"], ["killed"]]);
    assert.equal(step.host.phase, "stopping");
    assert.deepEqual(after(spawned, tooLate!).actions, []);
  });

  it("tells an agent that only now is there, if it was asked to stop before", () => {
    assert.deepEqual(doings(after(stop!)), ["report", "askToStop"]);
    assert.deepEqual(doings(after(stop!, spawned)), ["askToStop"]);
    assert.deepEqual(states(after(stop!, { event: "notSpawned", why: "x" })), [["stopped", 0]]);
  });

  it("starts an agent again that ended, later each time, with the service running on", () => {
    const events: HostEvent[] = [spawned];
    const waits = Array.from({ length: 6 }, () => {
      events.push(ended(1));
      const step = after(...events);
      assert.deepEqual([states(step), notes(step)], [[], ["ended"]]);
      assert.equal(step.host.phase, "waiting");
      events.push(again!, spawned);
      return waitMs(step);
    });
    assert.deepEqual(waits, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    assert.deepEqual(doings(after(spawned, ended(1), again!)), ["spawn"]);
  });

  it("waits shortly after 75, which is no failure, and after an agent that was well for long", () => {
    const failed = [spawned, ended(1), again!, spawned, ended(null), again!, spawned] as const;
    assert.equal(waitMs(after(...failed, ended(1))), 20_000);
    assert.equal(waitMs(after(...failed, ended(75))), 5_000);
    assert.equal(waitMs(after(...failed, [ended(1), 3_600_000])), 5_000);
  });

  it("stops with the agent's exit code after those that a new start would not change", () => {
    for (const code of [64, 65, 77, 78]) {
      const step = after(spawned, ended(code));
      assert.deepEqual([states(step), notes(step)], [[["stopped", code]], ["gaveUp", "stopped"]]);
    }
  });

  it("stops at once between two starts, and knows of a child from the moment that it starts one", () => {
    assert.deepEqual(states(after(spawned, ended(1), stop!)), [["stopped", 0]]);
    assert.deepEqual(doings(after(spawned, ended(1), again!, stop!)), ["report", "askToStop"]);
  });

  it("tries again what could not be started, and says so before it says that it runs", () => {
    const step = after({ event: "notSpawned", why: "ENOENT" });
    assert.deepEqual([states(step), notes(step), waitMs(step)], [[["running", 0]], ["notStarted"], 5_000]);
  });

  it("does nothing any more once it has stopped", () => {
    const { host } = after(spawned, stop!, ended(0));
    const all: HostEvent[] = [spawned, ended(0), stop!, tick!, again!, tooLate!, { event: "notSpawned", why: "x" }];
    for (const event of all) assert.deepEqual(advance(host, event, 9e6), { host, actions: [] } satisfies Step);
    assert.equal((host as Host).phase, "stopped");
  });
});
