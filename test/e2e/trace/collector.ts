/** An OpenTelemetry collector as little as a test needs: OTLP over HTTP with JSON bodies, kept as they came. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

const id = z.string().regex(/^[0-9a-f]+$/);
const value = z.union([
  z.object({ stringValue: z.string() }).transform((it) => it.stringValue),
  z.object({ boolValue: z.boolean() }).transform((it) => it.boolValue),
  z.object({ doubleValue: z.number() }).transform((it) => it.doubleValue),
  z.object({ intValue: z.union([z.string(), z.number()]) }).transform((it) => Number(it.intValue)),
]);
const attributes = z
  .array(z.object({ key: z.string(), value }))
  .default([])
  .transform((all) => Object.fromEntries(all.map(({ key, value }) => [key, value])));

const span = z.object({
  traceId: id,
  spanId: id,
  parentSpanId: z.union([id, z.literal("")]).optional(),
  name: z.string(),
  startTimeUnixNano: z.string().transform(BigInt),
  endTimeUnixNano: z.string().transform(BigInt),
  attributes,
  events: z.array(z.unknown()).default([]),
  status: z.object({ code: z.number().default(0), message: z.string().default("") }).default({ code: 0, message: "" }),
});
export type CollectedSpan = z.infer<typeof span>;

const traces = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(span) })) })),
});
const metrics = z.object({
  resourceMetrics: z.array(
    z.object({ scopeMetrics: z.array(z.object({ metrics: z.array(z.object({ name: z.string() })) })) }),
  ),
});

export interface Collector {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  readonly metricNames: ReadonlySet<string>;
  /** Everything that ever arrived, as text. */
  bodies(): string;
  /** Resolves when it holds for the spans so far, now or later. */
  until(holds: (spans: readonly CollectedSpan[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const bodies: string[] = [];
  const spans: CollectedSpan[] = [];
  const metricNames = new Set<string>();
  let arrived = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request)).toString("utf8");
    bodies.push(body);
    if (request.url === "/v1/traces") {
      const { resourceSpans } = traces.parse(JSON.parse(body));
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
    } else {
      const { resourceMetrics } = metrics.parse(JSON.parse(body));
      for (const { scopeMetrics } of resourceMetrics)
        for (const scope of scopeMetrics) for (const { name } of scope.metrics) metricNames.add(name);
    }
    response.setHeader("content-type", "application/json");
    response.end("{}");
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    metricNames,
    bodies: () => bodies.join("\n"),
    async until(holds) {
      while (!holds(spans)) await arrived.promise;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
