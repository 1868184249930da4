/**
 * The scheduler: what the wake index says is due is looked at, acted on, and entered again (docs/runs.md, "Records" and
 * step 1). Two ticks at once do no harm: all they do is guarded by ETags, and a doorbell may ring twice.
 */
import { pullPartition } from "../store/ids.ts";
import type { Stored } from "../store/record.ts";
import type { Cursor, DefinitionRecord, PullKey, Run } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import type { WakeEntry } from "../store/wake.ts";
import { inTurn } from "./admission.ts";
import { clean, expireOld } from "./clean.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { checkFreshness } from "./freshness.ts";
import { tellBegan } from "./measure.ts";
import { publishAll } from "./publish.ts";
import type { Doorbell } from "./ring.ts";
import { ringDue } from "./ring-due.ts";
import { leaseEndsMs } from "./run.ts";
import { shiftOf, whenDue } from "./schedule.ts";
import { activateNext, freshRun, ringSafely } from "./start.ts";
import { clearTurn, enterDue } from "./turns.ts";

export interface TickReport {
  readonly entries: number;
  readonly pulls: number;
  readonly failed: number;
}

/** Looks at every pull whose time has come, in turn of their tenants. A pull that cannot be looked at keeps its entries. */
export async function tick(deps: PullDeps, nowMs: number): Promise<TickReport> {
  const { tickEntries, tickPulls } = deps.settings;
  const entries = await deps.store.wake.due(nowMs, tickEntries);
  const groups = Map.groupBy(entries, ({ tenant, pull }) => pullPartition(tenant, pull));
  const pulls = inTurn([...groups.values()].map((same) => ({ tenant: same[0]!.tenant, same }))).slice(0, tickPulls);
  // Rung after all are known. Should this process die before, the entry that each look leaves brings the next tick to it.
  const bells: Doorbell[] = [];
  const looking: PullDeps = { ...deps, ring: async (bell) => void bells.push(bell) };
  let failed = 0;
  for (const { same } of pulls) {
    try {
      await lookAt(looking, same, nowMs);
    } catch (thrown) {
      failed += 1;
      deps.log("pull not looked at", { tenant: same[0]!.tenant, pull: same[0]!.pull, error: String(thrown) });
    }
  }
  await ringDue(deps, bells, nowMs);
  return { entries: entries.length, pulls: pulls.length, failed };
}

/** Beyond this, no clock is so wrong that an entry could be due for another tick already. */
const SHARED_MS = 300_000;

async function lookAt(deps: PullDeps, entries: readonly WakeEntry[], nowMs: number): Promise<void> {
  const { tenant, pull } = entries[0]!;
  const key = { tenant, pull };
  const nextMs = await act(deps, key, nowMs);
  // The next entry first: a crash in between leaves one too many, not one too few.
  if (nextMs !== undefined) {
    await deps.store.wake.insert(key, Math.max(nextMs, nowMs + 1000), nextMs - nowMs > SHARED_MS);
  }
  for (const entry of entries) await deps.store.wake.remove(entry);
}

/** Does what is to be done now and answers when to look again; undefined when there is nothing to wait for. */
async function act(deps: PullDeps, key: PullKey, nowMs: number): Promise<number | undefined> {
  const { runs } = deps.store;
  await clearEnded(deps, key);
  // A manifest that cannot be written must not keep the next run from starting.
  const told = await publishAll(deps, key).catch((thrown: unknown) => {
    deps.log("not published", { ...key, error: String(thrown) });
    return false;
  });
  const definition = await runs.definition(key);
  if (definition) await startIfDue(deps, key, definition.value, nowMs);
  await activateNext(deps, key);
  // What a removed pull has brought is kept for as long as it said.
  const retentionDays = definition
    ? definition.value.definition.retentionDays
    : (await runs.cursor(key))?.value.removed?.retentionDays;
  const takenBack = await takeBack(deps, key, retentionDays ?? undefined, nowMs);
  const cursor = await runs.cursor(key);
  if (!cursor) return undefined;
  const { activeRun, nextDue } = cursor.value;
  const again = told ? takenBack : [...takenBack, nowMs + deps.settings.wakeLeadSeconds * 1000];
  if (definition && !cursor.value.removed) again.push(...(await lookAtAge(deps, key, definition.value, cursor, nowMs)));
  if (nextDue !== null) again.push(Date.parse(nextDue));
  const run = activeRun === null ? undefined : await runs.run(key, activeRun);
  if (run && activeRun !== null) again.push(await ringIfFree(deps, key, activeRun, run, nowMs));
  return again.length > 0 ? Math.min(...again) : undefined;
}

/** When to look at its age again. What could not be told must not keep a run from starting. */
async function lookAtAge(
  deps: PullDeps,
  key: PullKey,
  definition: DefinitionRecord,
  cursor: Stored<Cursor>,
  nowMs: number,
): Promise<number[]> {
  try {
    const atMs = await checkFreshness(deps, key, definition, cursor, nowMs);
    return atMs === undefined ? [] : [atMs];
  } catch (thrown) {
    deps.log("age not told", { ...key, error: String(thrown) });
    return [nowMs + deps.settings.wakeLeadSeconds * 1000];
  }
}

/** What is over is deleted, and looked for again later. Nothing of it may keep a run from starting. */
async function takeBack(
  deps: PullDeps,
  key: PullKey,
  retentionDays: number | undefined,
  nowMs: number,
): Promise<number[]> {
  const times: number[] = [];
  // Expiring first, because it leaves something to clean; neither keeps the other from being done.
  for (const act of [() => expireOld(deps, key, retentionDays, nowMs), () => clean(deps, key, nowMs)]) {
    try {
      const again = await act();
      if (again !== undefined) times.push(again);
    } catch (thrown) {
      deps.log("not cleaned", { ...key, error: String(thrown) });
      times.push(nowMs + (deps.settings.restSeconds * 1000) / 24);
    }
  }
  return times;
}

/** An activeRun that names an ended run is left over from a write that nobody makes: cleared, If-Match. */
async function clearEnded(deps: PullDeps, key: PullKey): Promise<void> {
  const { runs } = deps.store;
  const cursor = await runs.cursor(key);
  if (!cursor || cursor.value.activeRun === null) return;
  const run = await runs.run(key, cursor.value.activeRun);
  const changes = clearTurn(cursor, run);
  if (changes) await commit(runs.table, pullPartition(key.tenant, key.pull), changes);
}

async function ringIfFree(deps: PullDeps, key: PullKey, id: string, run: Stored<Run>, nowMs: number): Promise<number> {
  if (run.value.state === "running" && !(run.row.readAtMs > leaseEndsMs(run))) return leaseEndsMs(run) + 1000;
  const notBeforeMs = run.value.notBefore === null ? nowMs : Date.parse(run.value.notBefore);
  if (notBeforeMs > nowMs) return notBeforeMs;
  await ringSafely(deps, key, id);
  // In case this bell is lost as well.
  return nowMs + deps.settings.wakeLeadSeconds * 1000;
}

/** Of two schedulers one gets 412 and goes on. */
async function startIfDue(
  deps: PullDeps,
  key: PullKey,
  { definition }: DefinitionRecord,
  nowMs: number,
): Promise<void> {
  const { runs } = deps.store;
  const { schedule } = definition;
  const cursor = await runs.cursor(key);
  if (!cursor || !schedule || definition.paused || cursor.value.nextDue === null) return;
  const nextDueMs = Date.parse(cursor.value.nextDue);
  if (nextDueMs > nowMs) return;
  const queued = (await runs.queued(key)).some(
    ({ id, run }) => run.value.kind === "scheduled" && id !== cursor.value.activeRun,
  );
  const active = cursor.value.activeRun !== null;
  const { misfireSeconds } = deps.settings;
  const shiftMs = shiftOf(schedule, key);
  const verdict = whenDue({ schedule, shiftMs, nextDueMs, nowMs, active, queued, misfireSeconds });
  if (verdict.do === "hold") return;
  const { id, run } = freshRun(deps, "scheduled", cursor.value.epoch, definition.maxSeconds);
  // For the run, before it is there: the entry that led here is removed only after a new one was written.
  if (verdict.do !== "skip") await deps.store.wake.insert(key, deps.clock.now() + deps.settings.wakeLeadSeconds * 1000);
  const nextDue = verdict.nextDueMs === null ? null : isoTime(verdict.nextDueMs);
  const done = await commit(
    runs.table,
    pullPartition(key.tenant, key.pull),
    enterDue(cursor, id, run, verdict.do, nextDue),
  );
  if (done.ok && verdict.do !== "skip") {
    tellBegan(deps, { ...key, run: id }, "schedule", nowMs, run.kind, Math.max(0, nowMs - nextDueMs));
  }
  if (done.ok && verdict.do === "start") await ringSafely(deps, key, id);
}
