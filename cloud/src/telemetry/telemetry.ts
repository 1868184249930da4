/**
 * Spans and metrics as the rest of the orchestrator makes them: names of closed lists, facts of a closed table, and no word of
 * OpenTelemetry, whose packages are loaded only where an exporter is set (`open.ts`). Nothing here throws or waits.
 */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Facts } from "./facts.ts";
import type { MetricName } from "./metrics.ts";

/** What a span can be called; docs/telemetry.md says what each one is. */
export const SPANS = [
  "schedule",
  "start",
  "slices",
  "session",
  "relay",
  "hello",
  "request",
  "agent",
  "policy",
  "connect",
  "login",
  "sql",
  "directory",
  "commit",
  "decide",
  "publish",
] as const;
export type SpanName = (typeof SPANS)[number];

/** Of whose trace a span is: every run has one trace, whoever works on it and when (`run-trace.ts`). */
export interface RunOf {
  readonly tenant: string;
  readonly pull: string;
  /** The run's key in its pull. */
  readonly run: string;
}

/** Something that is over. */
export interface Told {
  readonly name: SpanName;
  /** Milliseconds since 1970, by this machine's clock. */
  readonly startMs: number;
  readonly endMs: number;
  readonly facts?: Facts;
  readonly code?: ErrorCode | undefined;
  readonly below?: readonly Told[];
}

/** A span that is going on. */
export interface Span {
  /** What goes with a request (W3C Trace Context, section 3.2); undefined when nobody records. */
  readonly traceparent: string | undefined;
  add(facts: Facts): void;
  /** It ends as an error with this code. */
  fail(code: ErrorCode): void;
  /** Adds what somebody else did below it. */
  tell(told: Told): void;
}

export interface Telemetry {
  /** Does `work` in a span below the one that is going on. What it throws is thrown; the span has its code. */
  span<T>(name: SpanName, facts: Facts, work: (span: Span) => Promise<T>): Promise<T>;
  /** The same below the first span of a run's trace. */
  ofRun<T>(run: RunOf, name: SpanName, facts: Facts, work: (span: Span) => Promise<T>): Promise<T>;
  /** The first span of a run's trace: how the run came to be. */
  began(run: RunOf, told: Told): void;
  /** Adds to a counter, or takes a value: in the unit that the metric's row names. */
  measure(name: MetricName, value: number, facts?: Facts): void;
  /** Exports what is left, for a second at most. */
  end(): Promise<void>;
}

const NO_SPAN: Span = { traceparent: undefined, add() {}, fail() {}, tell() {} };

/** What is used where no exporter is set. */
export const NO_TELEMETRY: Telemetry = {
  span: (_name, _facts, work) => work(NO_SPAN),
  ofRun: (_run, _name, _facts, work) => work(NO_SPAN),
  began() {},
  measure() {},
  end: async () => {},
};
