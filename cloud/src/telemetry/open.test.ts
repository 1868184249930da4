import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { openTelemetry } from "./open.ts";
import { NO_TELEMETRY } from "./telemetry.ts";

const SETTINGS = {
  SALLYPORT_TELEMETRY_ENDPOINT: "http://127.0.0.1:9",
  SALLYPORT_TELEMETRY_HEADERS: "",
  SALLYPORT_TELEMETRY_RATIO: 1,
};

/** Opens telemetry in a process of its own; prints the packages of OpenTelemetry that it came to load. */
const PROBE = `
import { registerHooks } from "node:module";
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const name = /@opentelemetry\\/([a-z-]+)/.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
const { openTelemetry } = await import(${JSON.stringify(new URL("./open.ts", import.meta.url).href)});
const settings = { ...${JSON.stringify(SETTINGS)}, SALLYPORT_TELEMETRY: process.argv[1] };
const telemetry = await openTelemetry(settings, () => {});
await telemetry.span("session", {}, async () => 0);
process.stdout.write(JSON.stringify([...loaded].sort()));
process.exit(0);
`;

function loadedFor(exporter: string): string[] {
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", PROBE, exporter];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

describe("telemetry", () => {
  it("that is off loads nothing of OpenTelemetry", () => {
    assert.deepEqual(loadedFor("none"), []);
  });

  it("that is on does", () => {
    assert.ok(loadedFor("console").includes("sdk-trace"));
  });

  it("by OTLP knows itself to the collector by the headers of the setting", async (t) => {
    const seen = Promise.withResolvers<IncomingHttpHeaders>();
    const server = createServer(({ headers }, response) => {
      seen.resolve(headers);
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const settings = {
      ...SETTINGS,
      SALLYPORT_TELEMETRY: "otlp" as const,
      SALLYPORT_TELEMETRY_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      SALLYPORT_TELEMETRY_HEADERS: "x-key=a=b==,x-two=2,",
    };
    const telemetry = await openTelemetry(settings, () => undefined);
    await telemetry.span("session", {}, async () => 0);
    await telemetry.end();
    const headers = await seen.promise;
    assert.deepEqual([headers["x-key"], headers["x-two"]], ["a=b==", "2"]);
  });

  it("that is off does the work itself, and gives requests no traceparent", async () => {
    const telemetry = await openTelemetry({ ...SETTINGS, SALLYPORT_TELEMETRY: "none" }, () => undefined);
    assert.equal(telemetry, NO_TELEMETRY);
    assert.equal(await telemetry.span("session", {}, async ({ traceparent }) => traceparent), undefined);
  });
});
