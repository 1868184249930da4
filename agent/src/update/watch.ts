/**
 * The running agent's part: it looks for releases as its owner allows, and downloads what it may take by itself. It installs nothing;
 * in the owner's hours it puts a file where the updater's unit sees it, and the updater judges everything anew.
 */
import { existsSync, statSync } from "node:fs";
import type { UpdateReport } from "@sallyport/shared/release/manifest.ts";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { type Pinned, writeFileDurably } from "../state.ts";
import type { SignedDeps } from "../supervisor/signed.ts";
import { askReleases } from "./ask.ts";
import { decide, type Facts, newestOf } from "./decide.ts";
import { factsOf } from "./owner.ts";
import type { UpdatePlaces } from "./places.ts";
import { linksPlatform, type Platform } from "./platform.ts";
import { readPin, readRecord } from "./record.ts";
import { stage } from "./stage.ts";
import type { VerifiedRelease } from "./verify.ts";

/** So that an hour of the owner's is not missed. */
const LOOK_EVERY_MS = 5 * 60_000;
const ASK_EVERY_MS = 6 * 3_600_000;
const ASK_AGAIN_MS = 30 * 60_000;

export interface UpdateWatch {
  /** What the orchestrator is told. */
  report(): UpdateReport;
  /** Whether the updater has written something since: the orchestrator is told when an update has ended. */
  readonly unsaid: boolean;
  /** For `sallyport status`. */
  readonly state: { readonly mode: Facts["mode"]; readonly available: string | null };
  /** Runs until the signal; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface WatchDeps extends SignedDeps {
  readonly places: UpdatePlaces;
  /** Where it is not one with links. */
  readonly platform?: Pick<Platform, "name" | "versionOf">;
  /** Has the updater look at once, where no unit of the system waits for `places.ready`. @throws Error */
  readonly wake?: () => void;
  readonly config: AgentConfig;
  readonly mode: () => Facts["mode"];
  readonly releaseKeys: readonly string[];
  readonly pinned: () => Pick<Pinned, "keys">;
  readonly random: () => number;
  readonly log: Logger;
}

export function createUpdateWatch(deps: WatchDeps): UpdateWatch {
  const { places, platform = linksPlatform, config, clock, log } = deps;
  let askAtMs = clock.monotonicMs() + deps.random() * LOOK_EVERY_MS;
  let found: VerifiedRelease | undefined;
  let staged: VerifiedRelease | undefined;
  let offered: VerifiedRelease | undefined;

  const written = (): number => statSync(places.record, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  let saidMs = written();

  const facts = (): Facts => factsOf(places, platform, config, deps.mode(), new Date(clock.wallMs()));

  const ask = async (signal: AbortSignal): Promise<void> => {
    // A try that fails is made again sooner than the next question is due.
    askAtMs = clock.monotonicMs() + ASK_AGAIN_MS * (1 + deps.random());
    const { releases, refused, offsetMs } = await askReleases(deps, config.updates, signal);
    for (const why of refused) log.warn({ why }, "a release is not believed");
    const now = facts();
    found = newestOf(releases, now);
    if (found !== undefined && now.mode === "window" && !now.failed.includes(found.manifest.version)) {
      await stage({ ...deps, offsetMs }, found, now.platform, signal);
      staged = found;
    }
    askAtMs = clock.monotonicMs() + ASK_EVERY_MS * (1 + deps.random() / 6);
  };

  const look = async (signal: AbortSignal): Promise<void> => {
    if (deps.mode() === "manual") return;
    if (clock.monotonicMs() >= askAtMs) await ask(signal);
    // Once: what the updater does not take then is not offered again before the orchestrator was asked anew.
    if (staged === undefined || staged === offered || !decide(staged, facts(), undefined).ok) return;
    offered = staged;
    log.info({ version: staged.manifest.version }, "an update is handed to the updater");
    writeFileDurably(places.ready, `${staged.manifest.version}\n`);
    deps.wake?.();
  };

  /** Power that went in the middle may have taken the updater's own start with it. */
  const goOn = (): void => {
    try {
      if (deps.wake !== undefined && readRecord(places).under !== null) deps.wake();
    } catch (error) {
      log.warn({ why: (error as Error).message }, "the updater was not started");
    }
  };

  return {
    report() {
      saidMs = written();
      return {
        mode: deps.mode(),
        channel: config.updates.channel,
        ring: config.updates.ring,
        ...readOwn(places),
        staged: existsSync(places.stagedManifest) ? (staged?.manifest.version ?? null) : null,
      };
    },
    get unsaid() {
      return written() !== saidMs;
    },
    get state() {
      return { mode: deps.mode(), available: found?.manifest.version ?? null };
    },
    async run(signal) {
      goOn();
      while (!signal.aborted) {
        await look(signal).catch((error: Error) => {
          if (!signal.aborted) log.warn({ why: error.message }, "looking for updates failed");
        });
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
      }
    },
  };
}

/** The updater's and the owner's files; what cannot be read is not told. */
function readOwn(places: UpdatePlaces): Pick<UpdateReport, "proving" | "last" | "pinned"> {
  try {
    const { under, last } = readRecord(places);
    const outcome = last?.outcome ?? null;
    const said = last === null || outcome === null ? null : { version: last.version, outcome, at: last.at };
    return { proving: under !== null, last: said, pinned: readPin(places) ?? null };
  } catch {
    return { proving: false, last: null, pinned: null };
  }
}
