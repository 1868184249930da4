/**
 * The updater: one run of it brings whatever was begun to its end, and then does what the owner's command, or their files, ask for.
 * It may be killed at any point, and the machine may lose its power: the next run goes on from the record. Every step may be done
 * twice. Until `switching` nothing that runs is touched; from then on every way ends with an agent that was started.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { asOwnerOf } from "../regular-file.ts";
import { readPinned } from "../state.ts";
import { decide, REASONS, type Wish } from "./decide.ts";
import { inReserve, isFull, repoint, reserveRoom, versionOf } from "./files.ts";
import { awaitHealth, HEALTHY_WITHIN_MS } from "./health.ts";
import { factsOf, readOwnersWord } from "./owner.ts";
import type { UpdatePlaces } from "./places.ts";
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
  readonly releaseKeys: readonly string[];
  readonly clock: Clock;
  readonly reached: (step: Step, facts: Readonly<Record<string, unknown>>) => void;
  readonly healthyWithinMs?: number;
}

/** Times that health is waited for: a machine that dies in between each time is better off with what it had. */
const MOST_GATES = 2;

/** Answers how the update ended; undefined when there was nothing to do. @throws Error for a broken installation */
export async function runUpdater(deps: UpdaterDeps, signal: AbortSignal): Promise<Last | undefined> {
  const { places } = deps;
  const { under } = readRecord(places);
  if (under !== null) return await goOn(deps, under, signal);
  dropIncoming(places);
  const begun = await begin(deps);
  return begun === undefined || "outcome" in begun ? begun : await goOn(deps, begun, signal);
}

/** Nothing to do, a refusal, or the update that may now be made. */
async function begin(deps: UpdaterDeps): Promise<Last | Under | undefined> {
  const { places, clock } = deps;
  const wish = readWish(places);
  // What waits has been seen: without a command, only what is staged now counts.
  if (wish === undefined && !existsSync(places.ready)) return undefined;
  const record = readRecord(places);
  if (wish !== undefined && record.last?.wish === wish.at) return settle(deps, record, record.last);
  const installed = versionOf(places.current);
  if (installed === undefined) throw new Error(`${places.current} names no version`);
  deps.reached("begun", { installed, wish: wish?.do ?? null });
  try {
    reserveRoom(places);
    const to =
      wish?.do === "rollback" ? requireInstalled(places, wish.version, installed) : await take(deps, wish, installed);
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

function requireInstalled({ versions }: UpdatePlaces, version: string, installed: string): string {
  if (version === installed) throw new TakeError(REASONS.same);
  if (!existsSync(join(versions, version, "app"))) throw new TakeError(`version ${version} is not installed any more`);
  return version;
}

/** Verifies what is staged and unpacks it. @throws TakeError */
async function take(deps: UpdaterDeps, stored: StoredWish | undefined, installed: string): Promise<string> {
  const { places, clock } = deps;
  const now = new Date(clock.wallMs());
  const { config, mode } = readOwnersWord(places, now);
  const pinned = readPinned(places.state);
  if (pinned === undefined) throw new TakeError("no agent is enrolled here");
  const verified = await takeDocuments(places, deps.releaseKeys, pinned);
  if (!verified.ok) throw new TakeError(verified.why);
  const wish: Wish | undefined = stored?.do === "apply" ? stored : undefined;
  const verdict = decide(verified.release, factsOf(places, config, mode, now), wish);
  if (!verdict.ok) throw new TakeError(REASONS[verdict.why]);
  const { version } = verified.release.manifest;
  deps.reached("verified", { version });
  await takeArchive(places, verified.release, verdict.file, [installed, versionOf(places.updater) ?? installed]);
  return version;
}

/** From the record's step to the end. */
async function goOn(deps: UpdaterDeps, under: Under, signal: AbortSignal): Promise<Last> {
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
async function change(deps: UpdaterDeps, under: Under, signal: AbortSignal): Promise<string | undefined> {
  note(deps, { ...under, step: "switching" });
  deps.reached("switching", { from: under.from, to: under.to });
  await deps.service.stop();
  deps.reached("stopped", {});
  inReserve(deps.places, () => repoint(deps.places.current, under.to));
  deps.reached("repointed", { to: under.to });
  note(deps, { ...under, step: "gating", gates: under.gates + 1 });
  return await startAndWait(deps, under.to, signal);
}

async function startAndWait(deps: UpdaterDeps, version: string, signal: AbortSignal): Promise<string | undefined> {
  const { places, clock, healthyWithinMs: withinMs = HEALTHY_WITHIN_MS } = deps;
  const sinceMs = clock.wallMs();
  await deps.service.start();
  deps.reached("started", { version });
  return await awaitHealth(places, { version, sinceMs, withinMs }, clock, signal);
}

function finish(deps: UpdaterDeps, under: Under): Last {
  const { places, clock } = deps;
  const { from, to } = under;
  deps.reached("healthy", { version: to });
  inReserve(places, () => repoint(places.updater, to));
  const last = ended("applied", under, clock);
  const record = readRecord(places);
  const failed = record.failed.filter((each) => each !== to);
  return settle(deps, { ...record, under: null, last, previous: from, failed }, last);
}

/** Back to what ran. The agent is started whatever else fails; whether it is healthy by then is for its owner to see. */
async function revert(deps: UpdaterDeps, under: Under, signal: AbortSignal): Promise<Last> {
  const { places, service, clock } = deps;
  const why = under.why ?? "it was broken off";
  note(deps, { ...under, step: "reverting", why });
  deps.reached("reverting", { why });
  await service.stop().catch((error: Error) => deps.reached("reverting", { why: error.message }));
  inReserve(places, () => repoint(places.current, under.from));
  const missing = await startAndWait(deps, under.from, signal);
  const said = missing === undefined ? why : `${why}; and back at ${under.from}, ${missing}`;
  const last: Last = { ...ended("rolledBack", under, clock), why: said.slice(0, 500) };
  const record = readRecord(places);
  return settle(deps, { ...record, under: null, last, failed: [...withFailed(record, under.to)] }, last);
}

const note = ({ places }: UpdaterDeps, under: Under): void => writeRecord(places, { ...readRecord(places), under });

const ended = (outcome: Last["outcome"], of: Pick<Under, "from" | "to" | "wish">, clock: Clock): Last => ({
  ...{ version: of.to, from: of.from, outcome, why: null, wish: of.wish },
  at: new Date(clock.wallMs()).toISOString(),
});

/** The record first: by it a command that is still there is known as done. */
function settle(deps: UpdaterDeps, record: UpdateRecord, last: Last): Last {
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
  if (existsSync(places.staged)) asOwnerOf(places.staged, () => rmSync(places.ready, { force: true }));
  prune(places, record);
  deps.reached("ended", { ...last });
  return last;
}

/** Keeps what runs, what ran before, and what the updater is started from. */
function prune(places: UpdatePlaces, { previous, last }: UpdateRecord): void {
  const keep = [versionOf(places.current), versionOf(places.updater), previous];
  if (last?.outcome === "refused") return;
  for (const name of readdirSync(places.versions))
    if (!keep.includes(name)) rmSync(join(places.versions, name), { recursive: true, force: true });
}
