/** Where telemetry goes: lines of JSON on standard error, or a collector by OTLP over HTTP with JSON bodies. */
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import type { PushMetricExporter, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { AggregationTemporality } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";

export interface Wish {
  readonly exporter: "console" | "otlp";
  /** The collector's base address; `/v1/traces` and `/v1/metrics` are appended. */
  readonly endpoint: string;
  /** Sent with each request: how a collector knows us. */
  readonly headers: Readonly<Record<string, string>>;
  /** The share of traces that is kept, 0 to 1. */
  readonly ratio: number;
  readonly version: string;
  readonly log: (what: string, facts: Readonly<Record<string, unknown>>) => void;
}

export interface Exporters {
  readonly spans: SpanExporter;
  readonly metrics: PushMetricExporter;
  /** Between two exports of spans. */
  readonly everyMs?: number;
}

/** Requests under way at a time; beyond them spans wait in the queue, and are dropped when it is full. */
const AT_ONCE = 4;
const TIMEOUT_MS = 5_000;

export function makeExporters({ exporter, endpoint, headers }: Wish): Exporters {
  if (exporter === "console") return linesTo((line) => void process.stderr.write(`${line}\n`));
  const base = endpoint.replace(/\/+$/, "");
  const options = { headers: { ...headers }, concurrencyLimit: AT_ONCE, timeoutMillis: TIMEOUT_MS };
  return {
    spans: new OTLPTraceExporter({ ...options, url: `${base}/v1/traces` }),
    metrics: new OTLPMetricExporter({ ...options, url: `${base}/v1/metrics` }),
  };
}

type Done = Parameters<SpanExporter["export"]>[1];

/** One line a span and a line a metric's value. */
export function linesTo(write: (line: string) => void): Exporters {
  const ok = (done: Done) => done({ code: 0 });
  return {
    spans: {
      export(spans, done) {
        for (const span of spans) write(JSON.stringify({ span: lineOf(span) }));
        ok(done);
      },
      shutdown: async () => {},
    },
    metrics: {
      export(metrics, done) {
        for (const line of valuesOf(metrics)) write(JSON.stringify({ metric: line }));
        ok(done);
      },
      selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
      forceFlush: async () => {},
      shutdown: async () => {},
    },
  };
}

const lineOf = (span: ReadableSpan) => ({
  name: span.name,
  trace: span.spanContext().traceId,
  id: span.spanContext().spanId,
  parent: span.parentSpanContext?.spanId ?? null,
  start: new Date(span.startTime[0] * 1000 + span.startTime[1] / 1e6).toISOString(),
  ms: Math.round((span.duration[0] * 1e3 + span.duration[1] / 1e6) * 10) / 10,
  ...span.attributes,
});

const valuesOf = ({ scopeMetrics }: ResourceMetrics) =>
  scopeMetrics
    .flatMap(({ metrics }) => metrics)
    .flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => ({
        name: descriptor.name,
        unit: descriptor.unit,
        value,
        ...attributes,
      })),
    );

/** Between two lines of the log about what was lost. */
const SAY_EVERY_MS = 60_000;

/**
 * Exporters whose failures are counted, and told once a minute at most: without the collector's words, which may be anything.
 */
export function watched(log: Wish["log"], nowMs: () => number = () => performance.now()) {
  let lost = 0;
  let saidMs = Number.NEGATIVE_INFINITY;
  const noting =
    (many: number, done: Done): Done =>
    (result) => {
      if (result.code !== 0) {
        lost += many;
        if (nowMs() - saidMs >= SAY_EVERY_MS) {
          saidMs = nowMs();
          log("telemetry not exported", { lost });
          lost = 0;
        }
      }
      done(result);
    };
  return {
    spans: (exporter: SpanExporter): SpanExporter => ({
      export: (spans, done) => exporter.export(spans, noting(spans.length, done)),
      shutdown: () => exporter.shutdown(),
    }),
    metrics: (exporter: PushMetricExporter): PushMetricExporter => ({
      export: (metrics, done) => exporter.export(metrics, noting(1, done)),
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown(),
      ...(exporter.selectAggregationTemporality === undefined
        ? {}
        : { selectAggregationTemporality: (type) => exporter.selectAggregationTemporality!(type) }),
    }),
  };
}
