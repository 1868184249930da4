/** The service host's machine (host.ts) with a child, a clock and a control manager around it; no key and no socket. */
import type { ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../clock.ts";
import { CONFIGURATION } from "../endings.ts";
import type { HostNote } from "./events.ts";
import {
  advance,
  begin,
  CHECK_POINT_MS,
  type HostAction,
  type HostEvent,
  STOP_WITHIN_MS,
  type Status,
  type Step,
} from "./host.ts";

const LAST_WORDS_MS = 5_000;

export interface HostParts {
  report(status: Status): void;
  /** The agent, with a pipe to its standard input: the end of that asks it to stop. @throws where it cannot be started */
  spawn(): ChildProcess;
  /** For the event log. It must not throw. */
  note(note: HostNote): void;
  /** What forbids a start; then none is tried. */
  faults(): readonly string[];
  readonly clock: Clock;
}

export interface HostProcess {
  /** Once the control manager has started the service. */
  begin(): void;
  askToStop(): void;
  /** Resolves when the service has stopped, after that was reported. */
  readonly stopped: Promise<void>;
}

export function createHostProcess({ report, spawn, note, faults, clock }: HostParts): HostProcess {
  const stopped = Promise.withResolvers<void>();
  const over = new AbortController();
  let step: Step | undefined;
  let child: ChildProcess | undefined;

  const on = (event: HostEvent): void => {
    if (step === undefined) return;
    const next = advance(step.host, event, clock.monotonicMs());
    step = next;
    for (const action of next.actions) act(action);
  };
  const later = (ms: number, event: HostEvent): void => {
    clock.sleep(ms, over.signal).then(
      () => on(event),
      () => {},
    );
  };
  const ticks = (): void => {
    clock.sleep(CHECK_POINT_MS, over.signal).then(
      () => {
        on({ event: "tick" });
        ticks();
      },
      () => {},
    );
  };
  const start = (): void => {
    const wrong = faults();
    if (wrong.length > 0) {
      note({ id: "rights", faults: wrong });
      on({ event: "ended", code: CONFIGURATION });
      return;
    }
    const started = spawn();
    child = started;
    // Of these three exactly one ends it: an `error` after `spawn` is of a message or a signal that did not arrive.
    started.once("spawn", () => on({ event: "spawned", pid: started.pid ?? 0 }));
    started.once("exit", (code) => {
      // Its last words are in the log by then; but what it started may hold its output longer than it lived.
      const heard = new Promise((resolve) => started.once("close", resolve));
      const late = delay(LAST_WORDS_MS, undefined, { ref: false });
      void Promise.race([heard, late]).then(() => on({ event: "ended", code }));
    });
    started.on("error", (error) => {
      if (started.pid === undefined) on({ event: "notSpawned", why: error.message });
    });
    // A pipe whose reader has gone.
    started.stdin?.on("error", () => {});
  };
  const act = (action: HostAction): void => {
    switch (action.do) {
      case "spawn":
        // After this round: what it throws is an event of its own.
        queueMicrotask(() => {
          if (step?.host.phase === "stopping") return on({ event: "notSpawned", why: "asked to stop" });
          try {
            start();
          } catch (error) {
            on({ event: "notSpawned", why: error instanceof Error ? error.message : String(error) });
          }
        });
        return;
      case "askToStop":
        child?.stdin?.end();
        later(STOP_WITHIN_MS, { event: "tooLate" });
        return;
      case "kill":
        child?.kill("SIGKILL");
        return;
      case "wait":
        later(action.forMs, { event: "again" });
        return;
      case "note":
        note(action.note);
        return;
      case "report":
        report(action.status);
        if (action.status.state !== "stopped") return;
        over.abort();
        stopped.resolve();
        return;
      default:
        action satisfies never;
    }
  };
  return {
    begin() {
      step = begin(clock.monotonicMs());
      for (const action of step.actions) act(action);
      ticks();
    },
    askToStop: () => on({ event: "stop" }),
    stopped: stopped.promise,
  };
}
