/** Collectors that are dead, slow or refuse: nothing waits for them, little is kept for them, one line says so. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { linesTo, makeExporters, watched } from "./exporters.ts";
import { startOtel } from "./otel.ts";

type Logged = readonly [string, Readonly<Record<string, unknown>>];

async function collector(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function telemetryTo(endpoint: string) {
  const logged: Logged[] = [];
  const log = (...line: Logged) => void logged.push(line);
  const wish = { exporter: "otlp" as const, endpoint, headers: { "x-key": "k" }, ratio: 1, version: "1", log };
  return { telemetry: startOtel(wish, { ...makeExporters(wish), everyMs: 1 }), logged };
}

describe("a collector by OTLP", () => {
  it("gets spans and metrics as JSON, with the headers of the setting", async (t) => {
    const got: { readonly path: string; readonly key: unknown; readonly body: string }[] = [];
    const endpoint = await collector(t, async (request, response) => {
      const body = Buffer.concat(await Array.fromAsync(request)).toString();
      got.push({ path: request.url ?? "", key: request.headers["x-key"], body });
      response.end("{}");
    });
    const { telemetry, logged } = telemetryTo(`${endpoint}/`);
    await telemetry.span("session", { "sallyport.tenant": "contoso" }, async () => 0);
    telemetry.measure("sallyport.rows", 7);
    await telemetry.end();
    assert.deepEqual(got.map(({ path }) => path).sort(), ["/v1/metrics", "/v1/traces"]);
    for (const { key, body } of got) {
      assert.equal(key, "k");
      assert.ok(body.includes("sallyport"), body);
    }
    assert.deepEqual(logged, []);
  });

  it("that never answers keeps nobody: work goes on while its first request hangs, and what is too much is dropped", async (t) => {
    const asked = Promise.withResolvers<void>();
    const endpoint = await collector(t, () => asked.resolve());
    const { telemetry } = telemetryTo(endpoint);
    await telemetry.span("session", {}, async () => 0);
    await asked.promise;
    // Twenty times what the queue takes; none of these waits, for nothing has been answered.
    for (let span = 0; span < 40_000; span++) await telemetry.span("session", {}, async () => span);
    await telemetry.end();
  });

  it("that is not there, or refuses, costs one line of the log, without its words", async (t) => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const nobody = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
    gone.close();
    await once(gone, "close");
    const refusing = await collector(t, (_, response) => {
      response.statusCode = 400;
      response.end("your-secret-was-wrong");
    });
    for (const endpoint of [nobody, refusing]) {
      const { telemetry, logged } = telemetryTo(endpoint);
      const { promise: told, resolve } = Promise.withResolvers<void>();
      const exporters = watched((...line) => {
        logged.push(line);
        resolve();
      });
      const spans = exporters.spans(makeExporters({ ...WISH, endpoint }).spans);
      spans.export([], () => undefined);
      await told;
      await telemetry.end();
      assert.deepEqual(logged[0]?.[0], "telemetry not exported");
      assert.ok(!JSON.stringify(logged).includes("secret"));
    }
  });
});

const WISH = { exporter: "otlp" as const, headers: {}, ratio: 1, version: "1", log: () => undefined };

describe("failures to export", () => {
  it("are told once a minute, with how many were lost since", () => {
    const logged: Logged[] = [];
    let nowMs = 0;
    const failing = watched(
      (...line) => void logged.push(line),
      () => nowMs,
    ).spans({
      export: (_, done) => done({ code: 1 }),
      shutdown: async () => {},
    });
    const three = [1, 2, 3] as never;
    for (let minute = 0; minute < 3; minute++) {
      for (let time = 0; time < 5; time++) failing.export(three, () => undefined);
      nowMs += 60_000;
    }
    assert.deepEqual(
      logged.map(([, facts]) => facts.lost),
      [3, 15, 15],
    );
  });
});

describe("the console", () => {
  it("gets a line of JSON for each span and each metric", async () => {
    const lines: string[] = [];
    const log = () => undefined;
    const wish = { exporter: "console" as const, endpoint: "", headers: {}, ratio: 1, version: "1", log };
    const telemetry = startOtel(
      wish,
      linesTo((line) => void lines.push(line)),
    );
    await telemetry.span("session", { "sallyport.tenant": "contoso" }, async () => 0);
    telemetry.measure("sallyport.rows", 7, { "sallyport.operation": "sql.table" });
    await telemetry.end();
    const [span, metric] = lines.map((line) => JSON.parse(line));
    assert.deepEqual(Object.keys(span.span), ["name", "trace", "id", "parent", "start", "ms", "sallyport.tenant"]);
    assert.deepEqual(metric.metric, {
      name: "sallyport.rows",
      unit: "{row}",
      value: 7,
      "sallyport.operation": "sql.table",
    });
  });
});
