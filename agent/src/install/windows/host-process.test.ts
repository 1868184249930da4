import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../clock.ts";
import type { HostNote } from "./events.ts";
import { CHECK_POINT_MS, STOP_WITHIN_MS, type Status } from "./host.ts";
import { createHostProcess } from "./host-process.ts";

/** A child that says `up`, and does this when its input ends. */
const agent = (onEnd: string): string[] => [
  "--eval",
  `process.stdin.on("end", () => { ${onEnd} }).resume(); process.stdout.write("up")`,
];

/** Time that passes only when the test says so. */
function handClock() {
  const sleeping: { readonly ms: number; readonly wake: () => void; readonly signal: AbortSignal }[] = [];
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeping.push({ ms, wake: resolve, signal });
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  /** Lets the latest of those who wait so long go on. */
  const pass = async (ms: number): Promise<void> => {
    const at = sleeping.findLastIndex((each) => each.ms === ms);
    assert.notEqual(at, -1, `nobody waits ${ms} ms`);
    sleeping.splice(at, 1)[0]?.wake();
    await turn();
  };
  return { clock, pass, awake: () => sleeping.filter(({ signal }) => !signal.aborted).length };
}

function hostOf(t: TestContext, args: readonly (readonly string[])[], faults: readonly string[] = []) {
  const states: string[] = [];
  const notes: HostNote[] = [];
  const children: ChildProcess[] = [];
  const { clock, pass, awake } = handClock();
  const waiting: (() => void)[] = [];
  const changed = () => {
    for (const each of waiting.splice(0)) each();
  };
  const host = createHostProcess({
    report(status: Status) {
      states.push(`${status.state} ${status.exitCode}`);
      changed();
    },
    spawn() {
      const given = args[children.length] ?? assert.fail("one start too many");
      const child = spawn(given[0] === "missing" ? "/nonexistent/agent" : process.execPath, given, {
        stdio: ["pipe", "pipe", "inherit"],
      });
      children.push(child);
      return child;
    },
    note(note) {
      notes.push(note);
      changed();
    },
    faults: () => faults,
    clock,
  });
  t.after(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { host, states, notes, children, pass, awake, until, ids: () => notes.map(({ id }) => id) };
}

const up = (child: ChildProcess | undefined) => new Promise((resolve) => child?.stdout?.once("data", resolve));

describe("the host's process", () => {
  it("starts the agent, ends its input to stop it, and leaves nothing waiting", async (t) => {
    const { host, states, children, ids, awake, until } = hostOf(t, [agent("process.exit(0)")]);
    host.begin();
    await until(() => states.length === 2);
    await up(children[0]);
    host.askToStop();
    host.askToStop();
    await host.stopped;
    assert.deepEqual(states, ["startPending 0", "running 0", "stopPending 0", "stopped 0"]);
    assert.deepEqual(ids(), ["started", "stopped"]);
    assert.equal(children[0]?.exitCode, 0);
    assert.equal(awake(), 0);
  });

  it("starts it again after 75, and stops with the code of an end that somebody has to mend", async (t) => {
    const { host, states, ids, pass, until } = hostOf(t, [
      ["--eval", "process.exit(75)"],
      ["--eval", "process.exit(78)"],
    ]);
    host.begin();
    await until(() => ids().includes("ended"));
    await pass(5_000);
    await host.stopped;
    assert.deepEqual(ids(), ["started", "ended", "started", "gaveUp", "stopped"]);
    assert.equal(states.at(-1), "stopped 78");
  });

  it("stops once everything that the agent said has been heard", async (t) => {
    const { host, children, until } = hostOf(t, [
      // Its output is held by another, which speaks once it has gone.
      [
        "--eval",
        `const speak = "process.stdin.on('end', () => console.log('the last words')).resume()";
        require("node:child_process").spawn(process.execPath, ["--eval", speak], { stdio: ["pipe", "inherit", "inherit"], detached: true }).once("spawn", () => process.exit(78));`,
      ],
    ]);
    let heard = "";
    host.begin();
    await until(() => children.length === 1);
    children[0]?.stdout?.on("data", (piece) => {
      heard = `${heard}${piece}`.slice(-100);
    });
    await host.stopped;
    assert.equal(heard, "the last words\n");
  });

  it("ends one that does not stop, and says meanwhile that it is at it", async (t) => {
    const { host, states, notes, children, pass, until } = hostOf(t, [agent("setInterval(() => {}, 1e6)")]);
    host.begin();
    await until(() => states.length === 2);
    await up(children[0]);
    host.askToStop();
    await pass(CHECK_POINT_MS);
    assert.equal(states.at(-1), "stopPending 0");
    assert.equal(states.length, 4);
    await pass(STOP_WITHIN_MS);
    await host.stopped;
    assert.equal(children[0]?.signalCode, "SIGKILL");
    assert.deepEqual(
      notes.map(({ id }) => id),
      ["started", "killed", "stopped"],
    );
  });

  it("tries again what is not there, and stops while it waits", async (t) => {
    const { host, states, notes, until } = hostOf(t, [["missing"]]);
    host.begin();
    await until(() => notes.length === 1);
    assert.match(notes[0]?.id === "notStarted" ? notes[0].why : "", /ENOENT/);
    host.askToStop();
    await host.stopped;
    assert.deepEqual(states, ["startPending 0", "running 0", "stopped 0"]);
  });

  it("starts nothing where rights are not what they should be", async (t) => {
    const { host, states, notes, children } = hostOf(t, [], ["keys: open to S-1-1-0"]);
    host.begin();
    await host.stopped;
    assert.equal(children.length, 0);
    assert.deepEqual(notes[0], { id: "rights", faults: ["keys: open to S-1-1-0"] });
    assert.deepEqual(states, ["startPending 0", "stopped 78"]);
  });

  it("starts nothing any more that was asked to stop before", async (t) => {
    const { host, states, children } = hostOf(t, []);
    host.begin();
    host.askToStop();
    await host.stopped;
    assert.equal(children.length, 0);
    assert.deepEqual(states, ["startPending 0", "stopPending 0", "stopped 0"]);
  });
});
