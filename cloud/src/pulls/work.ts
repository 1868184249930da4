/** What a claim does: one session with the source, slices on the way, then the decision, a hand-over, or a failure. */
import { type SallyportError, toSallyportError } from "@sallyport/shared/protocol/errors.ts";
import { directoryChangesBy } from "@sallyport/shared/schema/directory-operations.ts";
import {
  changesBy,
  DEFAULT_LIMITS,
  limits,
  type Operation,
  tableWatermark,
} from "@sallyport/shared/schema/operations.ts";
import type { PullDefinition } from "@sallyport/shared/schema/pull.ts";
import type { SessionOutcome, SessionRequest } from "../sessions/session.ts";
import { publicRunId } from "../store/ids.ts";
import type { PullKey, Run } from "../store/runs.ts";
import { watchForCancel } from "./cancel-watch.ts";
import { cancelHeld, decideRun, type Failure, failHeld } from "./decide.ts";
import type { PullDeps } from "./deps.ts";
import { type Claimed, type Hold, hold, type StopReason } from "./hold.ts";
import { handOver, isVoid } from "./run.ts";
import { askedOf, type Stager, stage } from "./slice.ts";
import { wakeBefore } from "./wake.ts";

/** When the run wants another doorbell; undefined when it has ended, or is somebody else's. */
export interface Again {
  readonly againMs: number | undefined;
}
const DONE: Again = { againMs: undefined };

/** Works on a claimed run until it has ended or was given back. `drain`: this process is about to stop. */
export async function work(deps: PullDeps, claimed: Claimed, drain: AbortSignal): Promise<Again> {
  const { key, id } = claimed;
  const held = hold(deps, claimed);
  try {
    if (await held.isCancelled()) {
      await cancelHeld(deps, key, held);
      return DONE;
    }
    // Whoever claims a complete run opens no session.
    if (!held.run.complete) {
      const again = await read(deps, claimed, held, drain);
      if (again) return again;
    }
    await decideRun(deps, key, id, held);
    return DONE;
  } finally {
    await held.release();
  }
}

/** Reads from the source; undefined when the run is complete and can be decided. */
async function read(deps: PullDeps, claimed: Claimed, held: Hold, drain: AbortSignal): Promise<Again | undefined> {
  const { key, id } = claimed;
  const stored = await deps.store.runs.definition(key);
  if (!stored) {
    return failHeld(deps, key, held, { code: "api.not_found", message: "The pull's definition is gone.", detail: {} });
  }
  const { definition, connectionAt } = stored.value;
  if (held.run.asked !== null && held.run.asked !== askedOf(definition)) {
    const message = "The pull's definition changed during the run.";
    return failHeld(deps, key, held, { code: "request.plan_changed", message, detail: {} });
  }
  const limit = timeLimits(deps, held, drain);
  const startedAt = claimed.sentAt;
  const mustFinish = () => drain.aborted || deps.clock.monotonic() - startedAt >= deps.settings.claimSeconds * 1000;
  const stager = stage({ deps, key, id, held, definition, connectionAt, session: 1, mustFinish });
  const endWatch = watchForCancel(deps, claimed, held);
  let leave = () => {};
  try {
    // Before the source is asked: no query of a customer's runs for a claim that has to wait.
    leave = await deps.sinks[definition.sink.format].enter(limit.signal);
    const request = requestOf(deps, key, id, definition, held.run);
    const outcome = await deps.openSession(request, stager.consumer, limit.signal);
    const failure = outcome.ok ? await commitRest(stager, outcome) : outcome;
    // Revoking cuts the connection too: which of the two is noticed first is chance, and this is what the run should say.
    if (!outcome.ok) await held.mustStop().catch(() => false);
    if (failure) return await afterSession(deps, key, held, limit.why() ?? failure);
    if (outcome.ok && outcome.complete) return undefined;
    return await giveBack(deps, key, held);
  } catch (thrown) {
    const error = toSallyportError(thrown, "storage.failed", "The run's session or its storage failed.");
    deps.log("session failed", { ...key, run: id, code: error.code, error: String(error.cause ?? error.message) });
    return await afterSession(deps, key, held, limit.why() ?? error);
  } finally {
    endWatch();
    limit.end();
    await stager.abandon();
    leave();
  }
}

/** The end of a session is its last checkpoint. Answers what is wrong with it, if anything. */
async function commitRest(stager: Stager, outcome: SessionOutcome & { ok: true }): Promise<Failure | undefined> {
  const wrong = (message: string): Failure => ({ code: "protocol.order", message, detail: {} });
  if (!stager.hasSchema) return wrong("The session ended without a schema.");
  if (outcome.rows !== stager.rows) return wrong("The session's end counts other rows than it sent.");
  if (!outcome.complete && outcome.position === null) return wrong("The session stopped where it cannot be resumed.");
  await stager.commit(outcome.position, outcome.complete, outcome.warnings);
  return undefined;
}

async function afterSession(
  deps: PullDeps,
  key: PullKey,
  held: Hold,
  why: Failure | SallyportError | "drain",
): Promise<Again> {
  const stopped = held.signal.reason as StopReason | undefined;
  if (stopped === "lost") return DONE;
  if (stopped === "cancelled") {
    await cancelHeld(deps, key, held);
    return DONE;
  }
  if (stopped === "revoked") {
    const message = "The agent was revoked while it served the session.";
    return failHeld(deps, key, held, { code: "agent.revoked", message, detail: {} });
  }
  if (why === "drain") return giveBack(deps, key, held);
  return failHeld(deps, key, held, why);
}

/** Hands the run over to whoever claims it next. */
async function giveBack(deps: PullDeps, key: PullKey, held: Hold): Promise<Again> {
  const nowMs = deps.clock.now();
  const wake = await wakeBefore(deps, key, nowMs);
  const written = await held.write({ on: "run", step: handOver }, wake);
  return { againMs: written.ok ? nowMs : undefined };
}

interface TimeLimits {
  readonly signal: AbortSignal;
  /** Which limit ended the session, if one did. */
  why(): Failure | "drain" | undefined;
  end(): void;
}

function timeLimits({ clock, settings }: PullDeps, held: Hold, drain: AbortSignal): TimeLimits {
  const stop = new AbortController();
  let why: Failure | "drain" | undefined;
  const because = (reason: Failure | "drain") => () => {
    why ??= reason;
    stop.abort();
  };
  const deadline = because({ code: "run.deadline", message: "The run's time is over.", detail: {} });
  const overtime = because({
    code: "limit.time",
    message: `The session reached no checkpoint to hand over at within ${settings.sessionSeconds} seconds.`,
    detail: { seconds: settings.sessionSeconds },
  });
  const ends = [
    clock.after(Math.max(0, Date.parse(held.run.deadline) - clock.now()), deadline),
    clock.after(settings.sessionSeconds * 1000, overtime),
  ];
  const onDrain = () => ends.push(clock.after(settings.drainSeconds * 1000, because("drain")));
  if (drain.aborted) onDrain();
  else drain.addEventListener("abort", onDrain, { once: true });
  return {
    signal: AbortSignal.any([stop.signal, held.signal]),
    why: () => why,
    end() {
      drain.removeEventListener("abort", onDrain);
      for (const end of ends) end();
    },
  };
}

function requestOf(deps: PullDeps, key: PullKey, id: string, definition: PullDefinition, run: Run): SessionRequest {
  const own = limits.parse({ ...DEFAULT_LIMITS, ...definition.limits });
  return {
    tenant: key.tenant,
    connection: definition.connection,
    caller: `pull:${key.pull}`,
    pull: key.pull,
    run: publicRunId(key.pull, id),
    requestId: deps.random(16).toString("hex"),
    operation: operationOf(definition, run),
    limits: { ...own, seconds: Math.min(own.seconds, deps.settings.sessionSeconds) },
    ...(run.maskKey === null || isVoid(run) ? {} : { maskKey: run.maskKey }),
  };
}

/** The pull's operation with what the run adds: where to begin, and the plan once it is fixed. */
function operationOf(definition: PullDefinition, run: Run): Operation {
  const { operation, watermark, watermarkColumn, lagSeconds } = definition;
  const plan = run.plan === null || isVoid(run) ? {} : { plan: run.plan };
  if (operation.op === "sql.query" || operation.op === "ad.search") return { ...operation, ...plan };
  const from = run.from === null ? {} : { from: run.from };
  const position = run.position === null ? {} : { position: run.position };
  // Once the plan is fixed it holds the bound.
  const to = run.kind === "backfill" && run.plan === null && run.to !== null ? { to: run.to } : {};
  const column = watermarkColumn === undefined ? {} : { watermarkColumn };
  const lag = lagSeconds === undefined ? {} : { lagSeconds };
  const rest = { ...from, ...to, ...plan, ...position };
  if (operation.op === "ad.changes") return { ...operation, by: directoryChangesBy.parse(watermark), ...rest };
  if (operation.op === "sql.changes") return { ...operation, by: changesBy.parse(watermark), ...rest };
  return { ...operation, watermark: tableWatermark.parse(watermark), ...column, ...lag, ...rest };
}
