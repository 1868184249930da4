import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Last } from "../../update/record.ts";
import type { HostNote } from "./events.ts";
import { createUpdateHost } from "./update-host.ts";

const ended = (outcome: Last["outcome"], why: string | null = null): Last => ({
  ...{ version: "1.1.0", from: "1.0.0", outcome, why, at: new Date(0).toISOString(), wish: null },
});

function hostOf(run: (signal: AbortSignal) => Promise<Last | undefined>) {
  const states: string[] = [];
  const notes: HostNote[] = [];
  const host = createUpdateHost({
    report: ({ state, exitCode }) => states.push(`${state} ${exitCode}`),
    note: (note) => notes.push(note),
    run,
  });
  return { host, states, notes };
}

describe("the updater as a service", () => {
  it("runs once, tells how it ended, and ends", async () => {
    for (const [last, end, note] of [
      [undefined, "stopped 0", undefined],
      [ended("applied"), "stopped 0", { id: "updated", version: "1.1.0", from: "1.0.0" }],
      [
        ended("rolledBack", "no canary"),
        "stopped 1",
        { id: "takenBack", version: "1.1.0", from: "1.0.0", why: "no canary" },
      ],
      [ended("refused", "the ring"), "stopped 1", { id: "refused", version: "1.1.0", why: "the ring" }],
    ] as const) {
      const { host, states, notes } = hostOf(async () => last);
      await host.begin();
      assert.deepEqual([states, notes], [["running 0", end], note === undefined ? [] : [note]]);
    }
  });

  it("says what it failed with", async () => {
    const { host, states, notes } = hostOf(async () => {
      throw new Error("EIO");
    });
    await host.begin();
    assert.deepEqual([states, notes], [["running 0", "stopped 1"], [{ id: "updaterFailed", why: "EIO" }]]);
  });

  it("breaks off when it is asked to stop, which is no failure of the update's", async () => {
    const { host, states, notes } = hostOf(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const begun = host.begin();
    host.askToStop();
    host.askToStop();
    await begun;
    assert.deepEqual([states, notes], [["running 0", "stopPending 0", "stopped 1"], []]);
  });
});
