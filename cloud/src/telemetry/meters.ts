/** The instruments of `metrics.ts`, made when they are first used. */
import type { Attributes, Meter } from "@opentelemetry/api";
import { type FactName, type Facts, fitting } from "./facts.ts";
import { METRICS, type MetricName, type MetricRow } from "./metrics.ts";
import type { Telemetry } from "./telemetry.ts";

/** Bounds of every histogram, in seconds: from a session over a fast line to a run of an hour. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

export function createMeters(meter: Meter): Telemetry["measure"] {
  const made = new Map<MetricName, (value: number, attributes: Attributes) => void>();
  return (name, value, facts = {}) => {
    if (!Number.isFinite(value) || value < 0) return;
    const row: MetricRow = METRICS[name];
    const take = made.get(name) ?? instrument(meter, name, row);
    made.set(name, take);
    take(value, fitting(only(facts, row.by)));
  };
}

function instrument(meter: Meter, name: MetricName, { kind, unit, what: description }: MetricRow) {
  switch (kind) {
    case "counter": {
      const counter = meter.createCounter(name, { unit, description });
      return (value: number, attributes: Attributes) => counter.add(value, attributes);
    }
    case "histogram": {
      const advice = { explicitBucketBoundaries: SECONDS };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      return (value: number, attributes: Attributes) => histogram.record(value, attributes);
    }
    case "gauge": {
      const gauge = meter.createGauge(name, { unit, description });
      return (value: number, attributes: Attributes) => gauge.record(value, attributes);
    }
    default:
      return kind satisfies never;
  }
}

const only = (facts: Facts, names: readonly FactName[]): Facts =>
  Object.fromEntries(Object.entries(facts).filter(([name]) => names.includes(name as FactName)));
