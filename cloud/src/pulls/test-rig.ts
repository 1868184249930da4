/** A process of the orchestrator for tests: real Tables and blobs, a fake session, a queue that is a list. */
import { randomBytes } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  type Manifest,
  manifest as manifestSchema,
  type PullDefinition,
  pullDefinition,
} from "@sallyport/shared/schema/pull.ts";
// biome-ignore lint/correctness/noUndeclaredDependencies: an Arrow reader that is not ours; `shared` declares it.
import { CompressionType, compressionRegistry, tableFromIPC } from "apache-arrow";
import type { FreshnessEvent } from "../events/event.ts";
import { blobLinks } from "../sinks/links.ts";
import { openSinks } from "../sinks/open.ts";
import { createTables, openStore } from "../store/open.ts";
import type { PullKey } from "../store/runs.ts";
import type { TestAzurite } from "../store/test-azurite.ts";
import { type Faults, faultyNetwork } from "../store/test-faults.ts";
import { NO_TELEMETRY } from "../telemetry/telemetry.ts";
import { answerDoorbell } from "./answer.ts";
import { putPull } from "./define.ts";
import { type Clock, type PullDeps, systemClock } from "./deps.ts";
import { manifestPath } from "./publish.ts";
import type { Doorbell } from "./ring.ts";
import { DEFAULT_PULL_SETTINGS, type PullSettings } from "./settings.ts";
import type { RunEvent } from "./tell.ts";
import type { TestSource } from "./test-source.ts";

compressionRegistry.set(CompressionType.ZSTD, {
  encode: (data) => zstdCompressSync(data),
  decode: (data) => zstdDecompressSync(data),
});

export interface TestProcess extends PullDeps {
  readonly faults: Faults;
  readonly bells: { readonly bell: Doorbell; readonly atMs: number | undefined }[];
  readonly events: RunEvent[];
  readonly aged: FreshnessEvent[];
  readonly logged: { readonly what: string; readonly facts: Readonly<Record<string, unknown>> }[];
  /** Moves both of its clocks. */
  advance(ms: number): void;
  /** Makes its waits this much shorter. */
  hurry(times: number): void;
}

export interface TestRig {
  process(source: TestSource, settings?: Partial<PullSettings>): TestProcess;
  /** A new pull of tenant `acme`, with a connection of its own. */
  pull(deps: PullDeps, definition?: Record<string, unknown>): Promise<PullKey>;
}

/** Creates tables and container once; every process shares them and nothing else. */
export async function testRig(azurite: TestAzurite): Promise<TestRig> {
  await createTables((name) => azurite.connectTable(name));
  await azurite.blobService.getContainerClient("data").create();
  const container = azurite.blobService.getContainerClient("data");
  let pulls = 0;
  return {
    process(source, settings = {}) {
      const faults = faultyNetwork();
      const options = { httpClient: faults.httpClient, retryOptions: { maxRetries: 0 } };
      const blobService = azurite.connectBlobs(faults.blobPolicy);
      const blobs = blobService.getContainerClient(container.containerName);
      const bells: TestProcess["bells"] = [];
      const events: RunEvent[] = [];
      const aged: FreshnessEvent[] = [];
      const logged: TestProcess["logged"] = [];
      const { clock, advance, hurry } = movableClock(faults);
      return {
        store: openStore((name) => azurite.connectTable(name, options), randomBytes),
        blobs,
        sinks: openSinks({ container: blobs, blockBytes: 4096, random: randomBytes }),
        links: blobLinks(blobService, blobs, clock.now),
        openSession: source.openSession,
        ring: async (bell, atMs) => void bells.push({ bell, atMs }),
        tell: async (event) => void events.push(event),
        tellFreshness: async (event) => void aged.push(event),
        clock,
        random: randomBytes,
        settings: { ...DEFAULT_PULL_SETTINGS, ...settings },
        telemetry: NO_TELEMETRY,
        log: (what, facts) => void logged.push({ what, facts }),
        faults,
        bells,
        events,
        aged,
        logged,
        advance,
        hurry,
      };
    },
    async pull(deps, definition = {}) {
      const key = { tenant: "acme", pull: `pull-${++pulls}` };
      const connection = { site: "plant", kind: "mssql" as const, createdAt: new Date().toISOString() };
      await deps.store.connections.insert("acme", "erp", {
        ...connection,
        credentialVersion: null,
        credentialAt: null,
      });
      await putPull(deps, key, definitionOf(definition));
      return key;
    },
  };
}

export const definitionOf = (more: Record<string, unknown> = {}): PullDefinition =>
  pullDefinition.parse({
    connection: "erp",
    operation: { op: "sql.table", table: "dbo.Orders", columns: "*" },
    watermark: "rowversion",
    sink: { type: "blob", format: "arrow" },
    ...more,
  });

function movableClock(faults: Faults): { readonly clock: Clock } & Pick<TestProcess, "advance" | "hurry"> {
  let shift = 0;
  let speed = 1;
  const clock: Clock = {
    now: () => systemClock.now() + shift,
    monotonic: () => systemClock.monotonic() + shift,
    // A dead process need not wait for anything.
    after: (delayMs, act) => systemClock.after(faults.dead ? 0 : delayMs / speed, act),
  };
  return {
    clock,
    advance: (ms) => {
      shift += ms;
    },
    hurry: (times) => {
      speed = times;
    },
  };
}

/** Answers a run's doorbell, as the trigger would. */
export const answer = (
  deps: PullDeps,
  key: PullKey,
  run: string,
  drain = new AbortController().signal,
): Promise<void> => answerDoorbell(deps, { v: 1, ...key, run }, drain);

/** The manifests that a reader finds who asks for 1, 2, 3 and so on. */
export async function manifests(deps: PullDeps, key: PullKey): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (let seq = 1; ; seq++) {
    const blob = deps.blobs.getBlobClient(manifestPath(key, seq));
    if (!(await blob.exists())) return found;
    found.push(manifestSchema.parse(JSON.parse((await blob.downloadToBuffer()).toString())));
  }
}

/** The Ids in a manifest's Arrow parts, in order. */
export async function idsIn(deps: PullDeps, manifest: Manifest): Promise<number[]> {
  const ids: number[] = [];
  for (const part of manifest.parts) {
    const table = tableFromIPC(await deps.blobs.getBlobClient(part.path).downloadToBuffer());
    for (const id of table.getChild("Id")!) ids.push(Number(id));
  }
  return ids;
}

export const idsFrom = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
