/** Spans as an exporter gets them: whose trace, below what, with which facts, and nothing of an error but its code. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AggregationTemporality, InMemoryMetricExporter } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { startOtel } from "./otel.ts";
import { runTrace } from "./run-trace.ts";
import type { Telemetry } from "./telemetry.ts";

const RUN = { tenant: "contoso", pull: "flights", run: "8236412345678-0a1b2c3d" };
const WISH = { exporter: "otlp" as const, endpoint: "", headers: {}, version: "1", log: () => undefined };

/** Does `work`, and answers what was exported when it had ended. */
async function exported(work: (telemetry: Telemetry) => Promise<unknown>, ratio = 1) {
  const spans = new InMemorySpanExporter();
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const kept: ReadableSpan[] = [];
  const telemetry = startOtel(
    { ...WISH, ratio },
    {
      metrics,
      spans: {
        export(all, done) {
          kept.push(...all);
          done({ code: 0 });
        },
        shutdown: () => spans.shutdown(),
      },
    },
  );
  await work(telemetry);
  await telemetry.end();
  const values = metrics
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap((scope) => scope.metrics)
    .flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ value, attributes }) => [descriptor.name, value, attributes]),
    );
  return { spans: kept, named: (name: string) => kept.find((span) => span.name === name), values };
}

describe("a run's trace", () => {
  it("is the same for processes that never met, below one first span", async () => {
    const first = await exported(async (telemetry) => {
      telemetry.began(RUN, { name: "schedule", startMs: 1000, endMs: 1005 });
    });
    const second = await exported((telemetry) => telemetry.ofRun(RUN, "slices", {}, async () => 1));
    const [schedule, slices] = [first.named("schedule"), second.named("slices")];
    assert.deepEqual(schedule?.spanContext().traceId, runTrace(RUN).traceId);
    assert.equal(schedule?.parentSpanContext, undefined);
    assert.equal(slices?.spanContext().traceId, schedule?.spanContext().traceId);
    assert.equal(slices?.parentSpanContext?.spanId, schedule?.spanContext().spanId);
    assert.deepEqual(slices?.attributes, {
      "sallyport.tenant": "contoso",
      "sallyport.pull": "flights",
      "sallyport.run": "flights.8236412345678-0a1b2c3d",
    });
  });

  it("of each run is another, and the same run of another tenant is another run", () => {
    const others = [{ run: "8236412345678-0a1b2c3e" }, { tenant: "fabrikam" }, { pull: "flight" }];
    const all = [RUN, ...others.map((other) => ({ ...RUN, ...other }))].map((run) => runTrace(run).traceId);
    assert.equal(new Set(all).size, all.length);
    for (const id of all) assert.match(id, /^[0-9a-f]{32}$/);
  });
});

describe("spans", () => {
  it("go below the one that is going on, also after a wait, and beside what goes on meanwhile", async () => {
    const { spans } = await exported((telemetry) =>
      telemetry.ofRun(RUN, "slices", {}, async () => {
        const one = telemetry.span("session", {}, async () => {
          await Promise.resolve();
          await telemetry.span("relay", {}, async () => 0);
        });
        await Promise.all([one, telemetry.span("commit", {}, async () => 0)]);
      }),
    );
    const nameOf = new Map(spans.map((span) => [span.spanContext().spanId, span.name]));
    const parents = Object.fromEntries(
      spans.map((span) => [span.name, nameOf.get(span.parentSpanContext?.spanId ?? "")]),
    );
    assert.deepEqual(parents, { relay: "session", commit: "slices", session: "slices", slices: undefined });
  });

  it("say which traceparent goes with a request, and take what the other side did below themselves", async () => {
    let traceparent: string | undefined;
    const { named } = await exported((telemetry) =>
      telemetry.span("request", {}, async (span) => {
        traceparent = span.traceparent;
        span.tell({ name: "agent", startMs: 1000, endMs: 1500, below: [{ name: "sql", startMs: 1100, endMs: 1400 }] });
      }),
    );
    const [request, agent, sql] = [named("request"), named("agent"), named("sql")];
    const { traceId, spanId } = request!.spanContext();
    assert.equal(traceparent, `00-${traceId}-${spanId}-01`);
    assert.equal(agent?.parentSpanContext?.spanId, spanId);
    assert.equal(sql?.parentSpanContext?.spanId, agent?.spanContext().spanId);
    assert.deepEqual(
      [sql?.startTime, sql?.endTime],
      [
        [1, 100_000_000],
        [1, 400_000_000],
      ],
    );
  });

  it("that fail say the code: neither the message nor the stack, nor what was thrown that is not ours", async () => {
    const secret = "Fjord-Secret-7";
    const { spans } = await exported(async (telemetry) => {
      const others = Object.assign(new Error(secret), { code: secret });
      const ours = new SallyportError("sql.syntax", secret, { statement: secret });
      await assert.rejects(
        telemetry.span("session", {}, () => Promise.reject(ours)),
        ours,
      );
      await assert.rejects(
        telemetry.span("relay", {}, () => Promise.reject(others)),
        /Fjord/,
      );
      await telemetry.span("hello", {}, async (span) => span.fail("agent.offline"));
    });
    const told = spans.map(({ name, status, attributes }) => [name, status.code, status.message, attributes]);
    assert.deepEqual(told, [
      ["session", 2, "sql.syntax", { "sallyport.code": "sql.syntax" }],
      ["relay", 2, "api.internal", { "sallyport.code": "api.internal" }],
      ["hello", 2, "agent.offline", { "sallyport.code": "agent.offline" }],
    ]);
    assert.ok(spans.every(({ events }) => events.length === 0));
  });

  it("of traces that are not kept are not exported, and the request says so", async () => {
    let traceparent: string | undefined;
    const { spans } = await exported(
      (telemetry) =>
        telemetry.ofRun(RUN, "slices", {}, (span) => {
          traceparent = span.traceparent;
          return Promise.resolve();
        }),
      0,
    );
    assert.equal(spans.length, 0);
    assert.match(traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });
});

describe("spans that nobody takes", () => {
  it("are dropped beyond the queue, and nothing that makes them waits", async () => {
    let taken = 0;
    const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const hanging = {
      export: (all: ReadableSpan[]) => {
        taken += all.length;
      },
      shutdown: async () => {},
    };
    const telemetry = startOtel({ ...WISH, ratio: 1 }, { spans: hanging, metrics, everyMs: 1 });
    for (let span = 0; span < 40_000; span++) await telemetry.span("session", {}, async () => span);
    await telemetry.end();
    // One batch under way, and what the queue holds.
    assert.ok(taken > 0 && taken <= 2048 + 256, `${taken}`);
  });
});

describe("metrics", () => {
  it("are told apart by the facts of their row only", async () => {
    const { values } = await exported(async ({ measure }) => {
      const facts = { "sallyport.state": "published", "sallyport.kind": "manual", "sallyport.tenant": "contoso" };
      measure("sallyport.runs", 1, facts);
      measure("sallyport.runs", 1, { ...facts, "sallyport.tenant": "fabrikam" });
      measure("sallyport.canary.age", 300);
      measure("sallyport.canary.age", 12);
      for (const wrong of [Number.NaN, -1, Number.POSITIVE_INFINITY]) measure("sallyport.rows", wrong);
    });
    assert.deepEqual(values, [
      ["sallyport.runs", 2, { "sallyport.state": "published", "sallyport.kind": "manual" }],
      ["sallyport.canary.age", 12, {}],
    ]);
  });
});
