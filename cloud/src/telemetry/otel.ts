/**
 * `Telemetry` by OpenTelemetry's SDK. Loaded only where an exporter is set, as a file of its own in the bundle. Queues are
 * bounded, exporting has a time limit, and what cannot be exported is dropped: a collector that is dead or slow costs some
 * memory, and no run waits for it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import {
  type Attributes,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TraceIdRatioBasedSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { type ErrorCode, isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { type Exporters, makeExporters, type Wish, watched } from "./exporters.ts";
import { type Facts, fitting } from "./facts.ts";
import { createMeters } from "./meters.ts";
import { runTrace, type TraceIds } from "./run-trace.ts";
import type { RunOf, Span, SpanName, Telemetry, Told } from "./telemetry.ts";

/** Spans that wait to be exported, and how many go in one request. */
const MAX_QUEUED = 2048;
const MAX_BATCH = 256;
const EXPORT_EVERY_MS = 2_000;
const MEASURE_EVERY_MS = 60_000;
const EXPORT_TIMEOUT_MS = 10_000;
/** What the end of the process may take longer for it: ending.ts. */
const END_MS = 1_000;

/** What others did, or what goes on between machines; the rest is this process's own work. */
const KINDS: Partial<Record<SpanName, SpanKind>> = {
  schedule: SpanKind.PRODUCER,
  start: SpanKind.PRODUCER,
  slices: SpanKind.CONSUMER,
  relay: SpanKind.CLIENT,
  request: SpanKind.CLIENT,
  agent: SpanKind.SERVER,
  connect: SpanKind.CLIENT,
  login: SpanKind.CLIENT,
  sql: SpanKind.CLIENT,
  directory: SpanKind.CLIENT,
};

/** @param exporters for tests; by default those that the setting names */
export function startOtel(wish: Wish, exporters: Exporters = makeExporters(wish)): Telemetry {
  const resource = resourceFromAttributes({ "service.name": "sallyport", "service.version": wish.version });
  const ids = createIds();
  const lost = watched(wish.log);
  const tracers = new TracerProvider({
    resource,
    idGenerator: ids,
    // By the trace's id alone: processes that never met keep the same runs.
    sampler: new TraceIdRatioBasedSampler(wish.ratio),
    spanLimits: { attributeCountLimit: 16, attributeValueLengthLimit: 128, eventCountLimit: 0, linkCountLimit: 1 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: lost.spans(exporters.spans),
        maxQueueSize: MAX_QUEUED,
        maxExportBatchSize: MAX_BATCH,
        scheduledDelayMillis: exporters.everyMs ?? EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: lost.metrics(exporters.metrics),
        exportIntervalMillis: MEASURE_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const tracer = tracers.getTracer("sallyport");
  const current = new AsyncLocalStorage<SpanContext>();

  const begin = (name: SpanName, facts: Facts, parent: SpanContext | undefined, startMs?: number): OtelSpan => {
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    const kind = KINDS[name] ?? SpanKind.INTERNAL;
    const attributes: Attributes = fitting(facts);
    const startTime = startMs === undefined ? {} : { startTime: new Date(startMs) };
    return tracer.startSpan(name, { kind, attributes, ...startTime }, context);
  };
  const finish = (span: OtelSpan, code: ErrorCode | undefined, endMs?: number): void => {
    // A code says what it is; messages are for people who may see what they are about.
    if (code !== undefined) {
      span.setAttributes(fitting({ "sallyport.code": code }));
      span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    }
    span.end(endMs === undefined ? undefined : new Date(endMs));
  };
  const tell = (told: Told, parent: SpanContext | undefined): void => {
    const span = begin(told.name, told.facts ?? {}, parent, told.startMs);
    for (const each of told.below ?? []) tell(each, span.spanContext());
    finish(span, told.code, told.endMs);
  };

  async function spanBelow<T>(
    parent: SpanContext | undefined,
    name: SpanName,
    facts: Facts,
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const span = begin(name, facts, parent);
    const own = span.spanContext();
    let code: ErrorCode | undefined;
    try {
      return await current.run(own, () =>
        work({
          traceparent: traceparentOf(own),
          add: (more) => void span.setAttributes(fitting(more)),
          fail: (why) => {
            code = why;
          },
          tell: (told) => tell(told, own),
        }),
      );
    } catch (thrown) {
      code = codeOf(thrown);
      throw thrown;
    } finally {
      finish(span, code);
    }
  }

  return {
    span: (name, facts, work) => spanBelow(current.getStore(), name, facts, work),
    ofRun: (run, name, facts, work) => spanBelow(firstOf(run), name, { ...factsOf(run), ...facts }, work),
    began: (run, told) =>
      ids.as(runTrace(run), () => tell({ ...told, facts: { ...factsOf(run), ...told.facts } }, undefined)),
    measure: createMeters(meters.getMeter("sallyport")),
    async end() {
      const flushed = Promise.allSettled([tracers.shutdown(), meters.shutdown({ timeoutMillis: END_MS })]);
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, END_MS);
      await Promise.race([flushed, late]);
      clearTimeout(timer);
    },
  };
}

/** By its code, not by its class: in the bundle this file has a class of its own. */
function codeOf(thrown: unknown): ErrorCode {
  const code: unknown = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" && isErrorCode(code) ? code : "api.internal";
}

const firstOf = (run: RunOf): SpanContext => ({ ...runTrace(run), traceFlags: TraceFlags.SAMPLED, isRemote: true });

const factsOf = ({ tenant, pull, run }: RunOf): Facts => ({
  "sallyport.tenant": tenant,
  "sallyport.pull": pull,
  "sallyport.run": `${pull}.${run}`,
});

const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;

/** Ids for spans: drawn, but for the first of a run's trace. Starting a span is synchronous, so nothing comes between. */
function createIds() {
  let next: TraceIds | undefined;
  const take = (of: "traceId" | "spanId", bytes: number): string => {
    const id = next?.[of] ?? randomBytes(bytes).toString("hex");
    if (of === "traceId") next = undefined;
    return id;
  };
  return {
    // The SDK asks for the span's id first, and for the trace's only where there is no parent.
    generateSpanId: () => take("spanId", 8),
    generateTraceId: () => take("traceId", 16),
    as(ids: TraceIds, work: () => void): void {
      next = ids;
      try {
        work();
      } finally {
        next = undefined;
      }
    },
  };
}
