import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parseTimeSpanMs } from "./duration.ts";
import { startProblem } from "./start-problem.ts";

/**
 * host.json: what this host respects of it. Unknown members are ignored, as the real host does.
 * Source: "host.json reference for Azure Functions 2.x and later" and the Service Bus extension's section 5.x.
 */

const BUNDLE_ID = "Microsoft.Azure.Functions.ExtensionBundle";
// "[4.*, 5.0.0)": a range whose lower end is in version 4, the first with today's Service Bus settings.
const BUNDLE_RANGE = /^[[(]\s*4(\.(\*|\d+)){1,2}\s*,\s*\d+(\.(\*|\d+)){0,2}\s*[\])]$/;

const timeSpanMs = z.string().transform(readTimeSpan);

function readTimeSpan(text: string, context: z.RefinementCtx): number {
  const ms = parseTimeSpanMs(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: "custom", message: `"${text}" is no time span (hh:mm:ss)` });
  return z.NEVER;
}

const serviceBus = z.object({
  maxConcurrentCalls: z.int().min(1).max(2000).default(16),
  prefetchCount: z.int().min(0).default(0),
  maxAutoLockRenewalDuration: timeSpanMs.default(5 * 60_000),
  autoCompleteMessages: z.boolean().default(true),
});

const hostJson = z.object({
  version: z.literal("2.0", { error: 'host.json must say "version": "2.0"' }),
  functionTimeout: z
    .string()
    .default("00:30:00")
    .transform((text, context) => (text === "-1" ? undefined : readTimeSpan(text, context))),
  extensionBundle: z
    .object({
      id: z.literal(BUNDLE_ID),
      version: z.string().regex(BUNDLE_RANGE, { error: 'must be a range like "[4.*, 5.0.0)"' }),
    })
    .optional(),
  extensions: z
    .object({
      http: z.object({ routePrefix: z.string().default("api") }).prefault({}),
      serviceBus: serviceBus.prefault({}),
    })
    .prefault({}),
});

export type ServiceBusSettings = {
  maxConcurrentCalls: number;
  prefetchCount: number;
  maxAutoLockRenewalMs: number;
  autoCompleteMessages: boolean;
};

export type HostSettings = {
  /** Without slashes at its ends; empty for none. */
  routePrefix: string;
  /** Undefined for no limit ("-1"). The default is Flex Consumption's. */
  functionTimeoutMs: number | undefined;
  serviceBus: ServiceBusSettings;
  hasExtensionBundle: boolean;
};

/** Checks a host.json document. Throws a StartProblem that names every fault. */
export function parseHostJson(text: string): HostSettings {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw startProblem(`host.json is no JSON: ${(error as Error).message}`);
  }
  const result = hostJson.safeParse(document);
  if (!result.success) throw startProblem(`host.json is not valid:\n${z.prettifyError(result.error)}`);
  const { extensions, functionTimeout, extensionBundle } = result.data;
  const { maxAutoLockRenewalDuration, ...serviceBusRest } = extensions.serviceBus;
  return {
    routePrefix: extensions.http.routePrefix.replace(/^\/+|\/+$/g, ""),
    functionTimeoutMs: functionTimeout,
    serviceBus: { ...serviceBusRest, maxAutoLockRenewalMs: maxAutoLockRenewalDuration },
    hasExtensionBundle: extensionBundle !== undefined,
  };
}

/** Reads the app folder's host.json. Throws a StartProblem when there is none or it is not valid. */
export async function readHostJson(appDir: string): Promise<HostSettings> {
  let text: string;
  try {
    text = await readFile(join(appDir, "host.json"), "utf8");
  } catch (error) {
    throw startProblem(`There is no readable host.json in ${appDir}.`, error);
  }
  return parseHostJson(text);
}
