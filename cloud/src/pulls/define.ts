/** Storing, changing and resetting pulls. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type PullDefinition, pullDefinition } from "@sallyport/shared/schema/pull.ts";
import { pullPartition } from "../store/ids.ts";
import { touch } from "../store/keyed.ts";
import type { Stored } from "../store/record.ts";
import {
  type Cursor,
  type DefinitionRecord,
  insertCursor,
  insertDefinition,
  type PullKey,
  replaceCursor,
  replaceDefinition,
} from "../store/runs.ts";
import { type Change, commit } from "../store/tables.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { changed, noPull } from "./refusals.ts";
import { removePull } from "./remove.ts";
import { digestOf } from "./run.ts";
import { firstDue } from "./schedule.ts";
import { lookAgain } from "./tries.ts";
import { reset } from "./turns.ts";
import { type Wake, wakeBefore } from "./wake.ts";

export interface PutAnswer {
  readonly created: boolean;
  readonly revision: number;
  /** It starts again, replacing what was read: it reads something else, or was made again under a name that had results. */
  readonly reset: boolean;
}

/**
 * Creates a pull, or changes the one that has `revision`. The same definition again changes nothing.
 * Throws `api.invalid` (schedule, connection), `api.too_large`, `api.conflict` (exists, and no revision given), `api.changed`,
 * also for a revision of a pull that is gone.
 */
export async function putPull(
  deps: PullDeps,
  key: PullKey,
  given: PullDefinition,
  revision?: number,
): Promise<PutAnswer> {
  const { store } = deps;
  const definition = pullDefinition.parse(given);
  requireTime(definition, deps.settings);
  requireLength(definition);
  const dueMs = firstDue(key, definition, deps.clock.now());
  const connection = await store.connections.get(key.tenant, definition.connection);
  if (!connection || connection.value.removedAt) throw noConnection(definition);
  // With a limit to its age it is looked at soon: that look knows when the next one has to be.
  const wakeMs = definition.freshness === undefined ? dueMs : null;
  const wake = await wakeBefore(deps, key, wakeMs ?? deps.clock.now());
  let first: { readonly definition: PullDefinition | undefined } | undefined;
  const answer = await lookAgain(async () => {
    const stored = await store.runs.definition(key);
    first ??= { definition: stored?.value.definition };
    if (stored && digestOf(stored.value.definition) === digestOf(definition)) {
      return { created: false, revision: stored.value.revision, reset: false };
    }
    // What was to be replaced is gone, and perhaps on purpose.
    if (!stored && revision !== undefined) throw changed();
    const wanted = { definition, connectionAt: connection.value.createdAt };
    return stored ? change(deps, key, stored, wanted, dueMs, revision, wake) : create(deps, key, wanted, dueMs, wake);
  });
  if (!answer) throw changed();
  const before = first?.definition;
  if (before?.connection !== definition.connection)
    await keepConnection(deps, key, definition, before, answer.revision);
  return answer;
}

/**
 * Whoever removes a connection looks for its pulls, then writes its record. So a new pull writes that record, too, after
 * itself: either the removal is refused, or the pull finds the connection gone, and is taken back.
 */
async function keepConnection(
  deps: PullDeps,
  key: PullKey,
  definition: PullDefinition,
  before: PullDefinition | undefined,
  revision: number,
): Promise<void> {
  const kept = await touch(deps.store.connections, key.tenant, definition.connection);
  if (kept && !kept.value.removedAt) return;
  if (before === undefined) await removePull(deps, key, revision);
  else await putPull(deps, key, before, revision);
  throw noConnection(definition);
}

/** A definition is one property of an entity, which Azure gives 32,768 characters. */
const MOST_CHARACTERS = 32_000;

function requireLength(definition: PullDefinition): void {
  const characters = JSON.stringify(definition).length;
  if (characters <= MOST_CHARACTERS) return;
  const message = `The definition has ${characters} characters: let \`columns\` be "*" or name fewer, or read a view.`;
  throw new SallyportError("api.too_large", message, { characters, maxCharacters: MOST_CHARACTERS });
}

const noConnection = ({ connection }: PullDefinition) =>
  new SallyportError("api.invalid", `There is no connection ${connection}.`, { field: "connection" });

type Wanted = Pick<DefinitionRecord, "definition" | "connectionAt">;

async function create(
  deps: PullDeps,
  key: PullKey,
  wanted: Wanted,
  dueMs: number | null,
  wake: Wake,
): Promise<PutAnswer | undefined> {
  const nextDue = dueMs === null ? null : isoTime(dueMs);
  const left = await deps.store.runs.cursor(key);
  // Somebody else has just made it.
  if (left && !left.value.removed) return undefined;
  // Numbers of revisions go on, so that an ETag of the pull that was removed fits no other.
  const revision = (left?.value.removed?.revision ?? 0) + 1;
  const record = { ...wanted, revision, createdAt: isoTime(deps.clock.now()) };
  const cursor = left
    ? replaceCursor({ ...left.value, nextDue, removed: null }, left.etag)
    : insertCursor({ ...NEW_CURSOR, nextDue });
  const made = await write(deps, key, [insertDefinition(record), cursor], wake);
  return made ? { created: true, revision, reset: left?.value.replaces ?? false } : undefined;
}

const NEW_CURSOR: Cursor = {
  ...{ epoch: 1, seq: 0, published: 0, oldest: 1, nextFence: 1 },
  ...{ watermark: null, activeRun: null, freshAt: null, freshness: null, removed: null },
  ...{ replaces: false, nextDue: null },
};

async function change(
  deps: PullDeps,
  key: PullKey,
  stored: Stored<DefinitionRecord>,
  wanted: Wanted,
  dueMs: number | null,
  revision: number | undefined,
  wake: Wake,
): Promise<PutAnswer | undefined> {
  if (revision === undefined) throw new SallyportError("api.conflict", `A pull ${key.pull} exists already.`);
  if (stored.value.revision !== revision) throw changed();
  const cursor = await deps.store.runs.cursor(key);
  if (!cursor) throw noPull(key);
  const next = { ...stored.value, ...wanted, revision: revision + 1 };
  const nextDue = dueMs === null ? null : isoTime(dueMs);
  const anew = sourceOf(stored.value.definition) !== sourceOf(wanted.definition);
  const changes: Change[] = [replaceDefinition(next, stored.etag)];
  if (anew) changes.push(...(await resetChanges(deps, key, cursor, { nextDue })));
  else changes.push(replaceCursor({ ...cursor.value, nextDue }, cursor.etag));
  return (await write(deps, key, changes, wake)) ? { created: false, revision: revision + 1, reset: anew } : undefined;
}

/** A source without positions cannot outlive the function that reads it: better said now than when it has run so long. */
function requireTime({ operation, limits }: PullDefinition, { sessionSeconds }: PullDeps["settings"]): void {
  const resumes =
    operation.op === "sql.changes" || (operation.op === "sql.table" && operation.consistency === undefined);
  if (resumes || (limits.seconds ?? 0) <= sessionSeconds) return;
  const message = `A statement, snapshot or search cannot be resumed, so it may take ${sessionSeconds} seconds at most; split it, or read a table by key.`;
  throw new SallyportError("api.invalid", message, { field: "limits.seconds", seconds: sessionSeconds });
}

/** What a watermark is a place in: another connection, table or mode has another. */
function sourceOf({ connection, operation, watermark, watermarkColumn }: PullDefinition): string {
  return digestOf([connection, operation.op, placeOf(operation), watermark, watermarkColumn ?? null]);
}

function placeOf(operation: PullDefinition["operation"]): string {
  if (operation.op === "ad.search" || operation.op === "ad.changes") return operation.base;
  return operation.op !== "sql.query" ? operation.table : operation.statement;
}

/** Starts a pull's history anew: the next run reads everything, and its manifest replaces all before it. */
export async function resetPull(deps: PullDeps, key: PullKey): Promise<void> {
  const wake = await wakeBefore(deps, key, deps.clock.now());
  const done = await lookAgain(async () => {
    const cursor = await deps.store.runs.cursor(key);
    if (!cursor || cursor.value.removed) throw noPull(key);
    return (await write(deps, key, await resetChanges(deps, key, cursor, {}), wake)) || undefined;
  });
  if (!done) throw changed();
}

async function resetChanges(
  deps: PullDeps,
  key: PullKey,
  cursor: Stored<Cursor>,
  also: Partial<Cursor>,
): Promise<readonly Change[]> {
  const id = cursor.value.activeRun;
  const run = id === null ? undefined : await deps.store.runs.run(key, id);
  const active = id !== null && run ? { id, run } : undefined;
  return reset(cursor, active, also, isoTime(deps.clock.now()), deps.random(12).toString("hex"));
}

/**
 * Stops a pull's schedule, or starts it again from now on; what is active goes on. Answers the definition's revision.
 * With `revision` only where it is still that one.
 * Throws `api.not_found`, `api.changed`.
 */
export async function setPaused(deps: PullDeps, key: PullKey, paused: boolean, revision?: number): Promise<PutAnswer> {
  const stored = await deps.store.runs.definition(key);
  if (!stored) throw noPull(key);
  if (revision !== undefined && revision !== stored.value.revision) throw changed();
  return putPull(deps, key, { ...stored.value.definition, paused }, stored.value.revision);
}

async function write(deps: PullDeps, key: PullKey, changes: readonly Change[], wake: Wake): Promise<boolean> {
  await wake.keepFresh();
  return (await commit(deps.store.runs.table, pullPartition(key.tenant, key.pull), changes)).ok;
}
