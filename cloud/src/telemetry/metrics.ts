/** Every metric: its kind, its unit, the facts it is told apart by, and what it counts. docs/telemetry.md shows this table. */
import type { FactName } from "./facts.ts";

export interface MetricRow {
  readonly kind: "counter" | "histogram" | "gauge";
  /** As UCUM writes it: `s` seconds, `By` bytes, `{run}` runs. */
  readonly unit: string;
  /** No tenant, pull or agent: a thousand of them would be a thousand series. The trace has them. */
  readonly by: readonly FactName[];
  readonly what: string;
}

export const METRICS = {
  "sallyport.runs": {
    kind: "counter",
    unit: "{run}",
    by: ["sallyport.state", "sallyport.kind", "sallyport.code"],
    what: "Runs that ended, by what became of them.",
  },
  "sallyport.run.duration": {
    kind: "histogram",
    unit: "s",
    by: ["sallyport.state"],
    what: "From a run's entry to its end.",
  },
  "sallyport.rows": { kind: "counter", unit: "{row}", by: ["sallyport.operation"], what: "Rows that sessions gave." },
  "sallyport.bytes": {
    kind: "counter",
    unit: "By",
    by: ["sallyport.operation"],
    what: "Bytes of their batches, compressed.",
  },
  "sallyport.sessions": {
    kind: "counter",
    unit: "{session}",
    by: ["sallyport.operation", "sallyport.code"],
    what: "Sessions that ended; those with a code failed.",
  },
  "sallyport.session.setup": {
    kind: "histogram",
    unit: "s",
    by: [],
    what: "From dialling an agent to its hello: relay, supervisor, executor.",
  },
  "sallyport.retries": {
    kind: "counter",
    unit: "{run}",
    by: ["sallyport.code"],
    what: "Runs given back to be tried again, by why.",
  },
  "sallyport.schedule.lag": {
    kind: "histogram",
    unit: "s",
    by: [],
    what: "From a run's due time to its entry by the scheduler.",
  },
  "sallyport.dead_letters": {
    kind: "counter",
    unit: "{message}",
    by: ["sallyport.code"],
    what: "Messages of queue slices that were delivered for the last time and not answered.",
  },
  "sallyport.canary.age": {
    kind: "gauge",
    unit: "s",
    by: [],
    what: "How long the agent that was proven longest ago has been unproven.",
  },
  "sallyport.agents": {
    kind: "gauge",
    unit: "{agent}",
    by: ["sallyport.health"],
    what: "Active agents, by how likely they serve now.",
  },
} as const satisfies Readonly<Record<string, MetricRow>>;

export type MetricName = keyof typeof METRICS;
