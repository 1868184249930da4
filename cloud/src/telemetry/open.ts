/** Opens what the settings ask for. Without an exporter not one file of OpenTelemetry is loaded. */
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import manifest from "../../package.json" with { type: "json" };
import type { Settings } from "../settings.ts";
import type { Wish } from "./exporters.ts";
import { NO_TELEMETRY, type Telemetry } from "./telemetry.ts";

/** Beside this file, and beside the bundle: a literal name would put it into the app's own file. */
const OTEL = pathToFileURL(join(import.meta.dirname, `otel${extname(import.meta.filename)}`)).href;

export type TelemetrySettings = Pick<
  Settings,
  "SALLYPORT_TELEMETRY" | "SALLYPORT_TELEMETRY_ENDPOINT" | "SALLYPORT_TELEMETRY_HEADERS" | "SALLYPORT_TELEMETRY_RATIO"
>;

/** A failure to load it is logged and costs the telemetry, not the app. */
export async function openTelemetry(settings: TelemetrySettings, log: Wish["log"]): Promise<Telemetry> {
  const { SALLYPORT_TELEMETRY: exporter, SALLYPORT_TELEMETRY_ENDPOINT: endpoint } = settings;
  if (exporter === "none") return NO_TELEMETRY;
  const headers = headersOf(settings.SALLYPORT_TELEMETRY_HEADERS);
  const wish = { exporter, endpoint, headers, ratio: settings.SALLYPORT_TELEMETRY_RATIO, version: manifest.version };
  try {
    const { startOtel } = (await import(OTEL)) as typeof import("./otel.ts");
    return startOtel({ ...wish, log });
  } catch (thrown) {
    log("telemetry not loaded", { error: thrown instanceof Error ? thrown.name : typeof thrown });
    return NO_TELEMETRY;
  }
}

/** `name=value,name=value`, as the setting's schema has checked it. */
function headersOf(text: string): Record<string, string> {
  const pairs = text.split(",").filter((pair) => pair !== "");
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const),
  );
}
