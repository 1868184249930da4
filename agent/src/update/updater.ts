/**
 * The updater: one run of it brings whatever was begun to its end, and then does what the owner's command, or their files, ask for.
 * It may be killed at any point, and the machine may lose its power: the next run goes on from the record. Every step may be done
 * twice. Until `switching` nothing that runs is touched; from then on every way ends with an agent that was started.
 */
import { existsSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { asOwnerOf } from "../regular-file.ts";
import { readPinned } from "../state.ts";
import { decide, REASONS, type Wish } from "./decide.ts";
import { inReserve, isFull, reserveRoom } from "./files.ts";
import { awaitHealth, HEALTHY_WITHIN_MS, lastStartedAt } from "./health.ts";
import { factsOf, readOwnersWord } from "./owner.ts";
import type { UpdatePlaces } from "./places.ts";
import { linksPlatform, type Platform, programOf } from "./platform.ts";
import {
  type Last,
  readRecord,
  readWish,
  type StoredWish,
  type Under,
  type UpdateRecord,
  withFailed,
  writeRecord,
} from "./record.ts";
import type { Service } from "./service.ts";
import { dropIncoming, TakeError, takeArchive, takeDocuments } from "./take.ts";

/** What is under way, for the log; the record holds only what the next run must know. */
export type Step =
  | "begun"
  | "verified"
  | "unpacked"
  | "switching"
  | "stopped"
  | "repointed"
  | "started"
  | "healthy"
  | "reverting"
  | "ended";

export interface UpdaterDeps {
  readonly places: UpdatePlaces;
  readonly service: Service;
  /** Where it is not one with links. */
  readonly platform?: Platform;
  readonly releaseKeys: readonly string[];
  readonly clock: Clock;
  readonly reached: (step: Step, facts: Readonly<Record<string, unknown>>) => void;
  readonly healthyWithinMs?: number;
}

/** Times that health is waited for: a machine that dies in between each time is better off with what it had. */
const MOST_GATES = 2;

type Deps = UpdaterDeps & { readonly platform: Platform };

/** Answers how the update ended; undefined when there was nothing to do. @throws Error for a broken installation */
export async function runUpdater(given: UpdaterDeps, signal: AbortSignal): Promise<Last | undefined> {
  const deps: Deps = { ...given, platform: given.platform ?? linksPlatform };
  const last = await run(deps, signal);
  // Only now: killed before, the machine's next start has it look once more.
  deps.platform.startWithMachine?.(false);
  return last;
}

async function run(deps: Deps, signal: AbortSignal): Promise<Last | undefined> {
  const { places } = deps;
  const { under } = readRecord(places);
  if (under !== null) return await goOn(deps, under, signal);
  dropIncoming(places);
  const begun = await begin(deps);
  return begun === undefined || "outcome" in begun ? begun : await goOn(deps, begun, signal);
}

/** Nothing to do, a refusal, or the update that may now be made. */
async function begin(deps: Deps): Promise<Last | Under | undefined> {
  const { places, platform, clock } = deps;
  const wish = readWish(places);
  // What waits has been seen: without a command, only what is staged now counts.
  if (wish === undefined && !existsSync(places.ready)) return undefined;
  const record = readRecord(places);
  if (wish !== undefined && record.last?.wish === wish.at) return settle(deps, record, record.last);
  const installed = platform.versionOf(places.current);
  if (installed === undefined) throw new Error(`${places.current} names no version`);
  deps.reached("begun", { installed, wish: wish?.do ?? null });
  try {
    reserveRoom(places);
    const to =
      wish?.do === "rollback" ? requireInstalled(deps, wish.version, installed) : await take(deps, wish, installed);
    deps.reached("unpacked", { to });
    return { step: "switching", from: installed, to, wish: wish?.at ?? null, gates: 0, why: null };
  } catch (error) {
    if (!(error instanceof TakeError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const version = wish?.version ?? installed;
    const why = (error as Error).message.slice(0, 500);
    const refused: Last = { ...ended("refused", { to: version, from: installed, wish: wish?.at ?? null }, clock), why };
    return settle(deps, { ...record, last: refused }, refused);
  }
}

function requireInstalled({ places, platform }: Deps, version: string, installed: string): string {
  if (version === installed) throw new TakeError(REASONS.same);
  const isThere = programOf(platform.name).every((name) => existsSync(join(places.versions, version, name)));
  if (!isThere) throw new TakeError(`version ${version} is not installed any more`);
  return version;
}

/** Verifies what is staged and unpacks it. @throws TakeError */
async function take(deps: Deps, stored: StoredWish | undefined, installed: string): Promise<string> {
  const { places, platform, clock } = deps;
  const now = new Date(clock.wallMs());
  const { config, mode } = readOwnersWord(places, platform, now);
  const pinned = readPinned(places.state);
  if (pinned === undefined) throw new TakeError("no agent is enrolled here");
  const verified = await takeDocuments(places, deps.releaseKeys, pinned);
  if (!verified.ok) throw new TakeError(verified.why);
  const wish: Wish | undefined = stored?.do === "apply" ? stored : undefined;
  const verdict = decide(verified.release, factsOf(places, platform, config, mode, now), wish);
  if (!verdict.ok) throw new TakeError(REASONS[verdict.why]);
  const { version } = verified.release.manifest;
  deps.reached("verified", { version });
  await takeArchive(places, verified.release, verdict.file, [
    installed,
    platform.versionOf(places.updater) ?? installed,
  ]);
  return version;
}

/** From the record's step to the end. */
async function goOn(deps: Deps, under: Under, signal: AbortSignal): Promise<Last> {
  deps.platform.startWithMachine?.(true);
  if (under.step === "reverting") return await revert(deps, under, signal);
  if (under.gates >= MOST_GATES)
    return await revert(deps, { ...under, why: "it was interrupted each time it was started" }, signal);
  try {
    const why = await change(deps, under, signal);
    if (why === undefined) return finish(deps, under);
    return await revert(deps, { ...under, why }, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return await revert(deps, { ...under, why: (error as Error).message.slice(0, 500) }, signal);
  }
}

/** Lets the old version drain, starts the new one, and answers what it lacks. */
async function change(deps: Deps, under: Under, signal: AbortSignal): Promise<string | undefined> {
  note(deps, { ...under, step: "switching" });
  deps.reached("switching", { from: under.from, to: under.to });
  await deps.service.stop();
  deps.reached("stopped", {});
  inReserve(deps.places, () => deps.platform.repoint(deps.places.current, under.to));
  deps.reached("repointed", { to: under.to });
  note(deps, { ...under, step: "gating", gates: under.gates + 1 });
  return await startAndWait(deps, under.to, signal);
}

async function startAndWait(deps: Deps, version: string, signal: AbortSignal): Promise<string | undefined> {
  const { places, clock, healthyWithinMs: withinMs = HEALTHY_WITHIN_MS } = deps;
  const before = lastStartedAt(places);
  await deps.service.start();
  deps.reached("started", { version });
  return await awaitHealth(places, { version, before, withinMs }, clock, signal);
}

function finish(deps: Deps, under: Under): Last {
  const { places, clock } = deps;
  const { from, to } = under;
  deps.reached("healthy", { version: to });
  inReserve(places, () => deps.platform.repoint(places.updater, to));
  const last = ended("applied", under, clock);
  const record = readRecord(places);
  const failed = record.failed.filter((each) => each !== to);
  return settle(deps, { ...record, under: null, last, previous: from, failed }, last);
}

/** Back to what ran. The agent is started whatever else fails; whether it is healthy by then is for its owner to see. */
async function revert(deps: Deps, under: Under, signal: AbortSignal): Promise<Last> {
  const { places, service, clock } = deps;
  const why = under.why ?? "it was broken off";
  note(deps, { ...under, step: "reverting", why });
  deps.reached("reverting", { why });
  await service.stop().catch((error: Error) => deps.reached("reverting", { why: error.message }));
  inReserve(places, () => deps.platform.repoint(places.current, under.from));
  const missing = await startAndWait(deps, under.from, signal);
  const said = missing === undefined ? why : `${why}; and back at ${under.from}, ${missing}`;
  const last: Last = { ...ended("rolledBack", under, clock), why: said.slice(0, 500) };
  const record = readRecord(places);
  return settle(deps, { ...record, under: null, last, failed: [...withFailed(record, under.to)] }, last);
}

const note = ({ places }: Deps, under: Under): void => writeRecord(places, { ...readRecord(places), under });

const ended = (outcome: Last["outcome"], of: Pick<Under, "from" | "to" | "wish">, clock: Clock): Last => ({
  ...{ version: of.to, from: of.from, outcome, why: null, wish: of.wish },
  at: new Date(clock.wallMs()).toISOString(),
});

/** The record first: by it a command that is still there is known as done. */
function settle(deps: Deps, record: UpdateRecord, last: Last): Last {
  const { places } = deps;
  try {
    writeRecord(places, record);
  } catch (error) {
    // Nothing was changed, and there is no room to say so.
    if (last.outcome !== "refused" || !isFull(error)) throw error;
  }
  rmSync(places.wish, { force: true });
  rmSync(places.reserve, { force: true });
  dropIncoming(places);
  dropReady(places);
  prune(deps, record);
  deps.reached("ended", { ...last });
  return last;
}

function dropReady({ staged, ready }: UpdatePlaces): void {
  // Where nobody can become the owner for a moment, a link that the owner made is not followed.
  const leadsAway = process.geteuid === undefined && lstatSync(staged, NO_THROW)?.isSymbolicLink() === true;
  if (existsSync(staged) && !leadsAway) asOwnerOf(staged, () => rmSync(ready, { force: true }));
}

const NO_THROW = { throwIfNoEntry: false } as const;

/** Keeps what runs, what ran before, and what the updater is started from. */
function prune({ places, platform }: Deps, { previous, last }: UpdateRecord): void {
  const keep = [platform.versionOf(places.current), platform.versionOf(places.updater), previous];
  if (last?.outcome === "refused") return;
  for (const name of readdirSync(places.versions))
    if (!keep.includes(name)) platform.remove(join(places.versions, name));
}
