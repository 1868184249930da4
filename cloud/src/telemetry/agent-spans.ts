/**
 * Spans of what the agent did, from the timings in its last frame. They count from the moment when it opened the request, on
 * its own monotonic clock. That moment lies between our sending and our receiving: what the way there and back took is what
 * we waited longer than the agent says it took, and half of it is the way there (as in NTP, RFC 5905 section 8). Two frames
 * tell of it, the first and the last; the smaller wait is nearer to the truth, because the other stood in a queue. What an
 * agent tells is a claim: nothing of it leaves the time in which we waited, and each step begins where the one before ended.
 */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Timings } from "@sallyport/shared/protocol/timings.ts";
import type { Facts } from "./facts.ts";
import type { SpanName, Told } from "./telemetry.ts";

/** Our clock, in milliseconds since 1970. */
export interface Waited {
  readonly sentMs: number;
  /** The first and the last message after that. */
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface AgentWork {
  readonly waited: Waited;
  readonly timings: Timings;
  /** The request's. */
  readonly operation: string;
  readonly facts: Facts;
  readonly code: ErrorCode | undefined;
}

/** When the agent opened the request, by our clock. */
export function openedAtMs({ sentMs, firstMs, lastMs }: Waited, { firstFrameMs, endedMs }: Timings): number {
  const byFirst = firstFrameMs === undefined ? Number.POSITIVE_INFINITY : firstMs - sentMs - firstFrameMs;
  const roundTripMs = Math.min(byFirst, lastMs - sentMs - endedMs);
  return sentMs + Math.max(0, roundTripMs) / 2;
}

/** The span `agent`, with its steps below it: those that it got to, the code of a failure on the last of them. */
export function agentSpans({ waited, timings, operation, facts, code }: AgentWork): Told {
  const openedMs = openedAtMs(waited, timings);
  const at = (ms: number): number => Math.min(Math.max(openedMs + ms, waited.sentMs), waited.lastMs);
  const agent = { name: "agent", startMs: at(0), endMs: at(timings.endedMs), facts, code } as const;
  const isSql = operation.startsWith("sql.");
  const { allowedMs, loginMs, acceptedMs, lastRowMs, endedMs } = timings;
  const reading = code === undefined ? (lastRowMs ?? endedMs) : endedMs;
  const steps: readonly (readonly [SpanName, number | undefined])[] = [
    ["policy", allowedMs],
    ["connect", loginMs],
    ["login", acceptedMs],
    [isSql ? "sql" : "directory", acceptedMs === undefined ? undefined : reading],
  ];
  // The first step without a time is where it failed; without a failure, where there was no more to do.
  const failedAt = steps.findIndex(([, untilMs]) => untilMs === undefined);
  const reached = failedAt < 0 ? steps : steps.slice(0, code === undefined ? failedAt : failedAt + 1);
  let fromMs = agent.startMs;
  const below = reached.map(([name, untilMs], index): Told => {
    const startMs = fromMs;
    fromMs = Math.max(fromMs, at(untilMs ?? endedMs));
    const isLast = index === reached.length - 1;
    const system: Facts = isSql && name !== "policy" ? { "db.system.name": "microsoft.sql_server" } : {};
    return { name, startMs, endMs: fromMs, facts: system, ...(isLast ? { code } : {}) };
  });
  return { ...agent, below };
}
