/**
 * What the service host does, as a machine without clock and system: events in, actions out. It starts the agent as its child, tells
 * the service control manager how far it is, starts it again after a while when it has ended, and asks it to stop when it has to.
 */
import { FINAL, TRY_AGAIN } from "../endings.ts";
import type { HostNote } from "./events.ts";

/** A stop takes as long as the agent drains (`drainSeconds`, 60 unless its owner said otherwise), and a little more. */
export const STOP_WITHIN_MS = 90_000;
/** How often the service control manager is told that something still goes on. */
export const CHECK_POINT_MS = 5_000;
/** It waits that long for the next such word before it gives up. */
export const WAIT_HINT_MS = 20_000;

const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;
/** An agent that ran that long was well: the next wait is a short one again. */
const WELL_AFTER_MS = 600_000;

/** As the service control manager is told (learn.microsoft.com, "SERVICE_STATUS"). */
export interface Status {
  readonly state: "startPending" | "running" | "stopPending" | "stopped";
  readonly checkPoint: number;
  readonly waitHintMs: number;
  /** What the agent ended with, where the service ends because of it. */
  readonly exitCode: number;
}

export interface Host {
  readonly phase: "starting" | "running" | "waiting" | "stopping" | "stopped";
  readonly checkPoint: number;
  /** Ends of the agent in a row, none of which was asked for. */
  readonly failures: number;
  readonly sinceMs: number;
}

export type HostEvent =
  | { readonly event: "spawned"; readonly pid: number }
  /** Null where a signal, or the system, ended it. */
  | { readonly event: "ended"; readonly code: number | null }
  | { readonly event: "notSpawned"; readonly why: string }
  | { readonly event: "stop" }
  /** Each CHECK_POINT_MS while something is pending. */
  | { readonly event: "tick" }
  /** The wait is over. */
  | { readonly event: "again" }
  /** STOP_WITHIN_MS after the agent was asked to stop. */
  | { readonly event: "tooLate" };

export type HostAction =
  | { readonly do: "spawn" }
  | { readonly do: "askToStop" }
  | { readonly do: "kill" }
  | { readonly do: "wait"; readonly forMs: number }
  | { readonly do: "report"; readonly status: Status }
  | { readonly do: "note"; readonly note: HostNote };

export interface Step {
  readonly host: Host;
  readonly actions: readonly HostAction[];
}

/** How a host begins. */
export function begin(nowMs: number): Step {
  const host: Host = { phase: "starting", checkPoint: 1, failures: 0, sinceMs: nowMs };
  return { host, actions: [report(host), { do: "spawn" }] };
}

/** @param nowMs of a clock that only goes forward */
export function advance(host: Host, event: HostEvent, nowMs: number): Step {
  if (host.phase === "stopped") return { host, actions: [] };
  switch (event.event) {
    case "spawned":
      return spawned(host, event.pid, nowMs);
    case "ended":
      return ended(host, event.code, nowMs);
    case "notSpawned":
      return host.phase === "stopping" ? stopped(host, 0) : waiting(host, { id: "notStarted", why: event.why }, nowMs);
    case "stop":
      return stopping(host, nowMs);
    case "tick":
      return ticked(host);
    case "again":
      // From now on there may be a child that a stop has to be told to.
      return host.phase === "waiting"
        ? { host: { ...host, phase: "running", sinceMs: nowMs }, actions: [{ do: "spawn" }] }
        : unchanged(host);
    case "tooLate":
      return host.phase === "stopping"
        ? { host, actions: [note({ id: "killed", afterSeconds: STOP_WITHIN_MS / 1000 }), { do: "kill" }] }
        : unchanged(host);
    default:
      return event satisfies never;
  }
}

const unchanged = (host: Host): Step => ({ host, actions: [] });
const note = (text: HostNote): HostAction => ({ do: "note", note: text });
const report = (host: Host, exitCode = 0): HostAction => ({ do: "report", status: statusOf(host, exitCode) });

function statusOf({ phase, checkPoint }: Host, exitCode: number): Status {
  const settled = { checkPoint: 0, waitHintMs: 0, exitCode };
  switch (phase) {
    case "starting":
      return { ...settled, state: "startPending", checkPoint, waitHintMs: WAIT_HINT_MS };
    case "stopping":
      return { ...settled, state: "stopPending", checkPoint, waitHintMs: WAIT_HINT_MS };
    case "stopped":
      return { ...settled, state: "stopped" };
    // Between two starts the service is there: whoever asks it to stop is obeyed.
    default:
      return { ...settled, state: "running" };
  }
}

function spawned(host: Host, pid: number, nowMs: number): Step {
  // It was asked to stop meanwhile, which the child could not be told before.
  if (host.phase === "stopping") return { host, actions: [{ do: "askToStop" }] };
  const running: Host = { ...host, phase: "running", checkPoint: 0, sinceMs: nowMs };
  const first = host.phase === "starting" ? [report(running)] : [];
  return { host: running, actions: [...first, note({ id: "started", pid })] };
}

function ended(host: Host, code: number | null, nowMs: number): Step {
  if (host.phase === "stopping") return stopped(host, 0);
  if (code !== null && FINAL.includes(code)) {
    const step = stopped(host, code);
    return { ...step, actions: [note({ id: "gaveUp", code }), ...step.actions] };
  }
  const wasWell = host.phase === "running" && nowMs - host.sinceMs >= WELL_AFTER_MS;
  const before = wasWell || code === TRY_AGAIN ? { ...host, failures: 0 } : host;
  return waiting(before, { id: "ended", code }, nowMs);
}

function waiting(host: Host, why: HostNote, nowMs: number): Step {
  const forMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** host.failures);
  const next: Host = { phase: "waiting", checkPoint: 0, failures: Math.min(host.failures + 1, 8), sinceMs: nowMs };
  const first = host.phase === "starting" ? [report(next)] : [];
  return { host: next, actions: [...first, note(why), { do: "wait", forMs }] };
}

function stopping(host: Host, nowMs: number): Step {
  if (host.phase === "stopping") return unchanged(host);
  if (host.phase === "waiting") return stopped(host, 0);
  const next: Host = { ...host, phase: "stopping", checkPoint: 1, sinceMs: nowMs };
  return { host: next, actions: [report(next), { do: "askToStop" }] };
}

function ticked(host: Host): Step {
  if (host.phase !== "starting" && host.phase !== "stopping") return unchanged(host);
  const next = { ...host, checkPoint: host.checkPoint + 1 };
  return { host: next, actions: [report(next)] };
}

function stopped(host: Host, exitCode: number): Step {
  const next: Host = { ...host, phase: "stopped", checkPoint: 0 };
  return { host: next, actions: [note({ id: "stopped" }), report(next, exitCode)] };
}
