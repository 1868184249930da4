/** Answering a doorbell: claim the run and work on it, or redo what follows from its end. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { claimRun } from "./claim.ts";
import type { PullDeps } from "./deps.ts";
import { publishAll } from "./publish.ts";
import { type Doorbell, parseDoorbell } from "./ring.ts";
import { activateNext, ringSafely } from "./start.ts";
import { work } from "./work.ts";

/** A message as the queue's trigger gives it. */
export interface Message {
  readonly body: unknown;
  readonly id: string;
  /** This one included. */
  readonly deliveries: number;
}

/** MaxDeliveryCount of queue slices, as infra/app/service-bus.bicep has it: what fails then is not delivered again. */
const LAST_DELIVERY = 10;

/**
 * Answers a message, and logs why it could not: it then comes again, and in the end lies in the dead-letter queue, whose
 * reason only says how often it came. The log has its id with the cause. Throws what `answerDoorbell` throws.
 */
export async function answerMessage(deps: PullDeps, message: Message, drain: AbortSignal): Promise<void> {
  try {
    await answerDoorbell(deps, message.body, drain, message.deliveries);
  } catch (thrown) {
    const { id, deliveries } = message;
    const cause = thrown instanceof SallyportError ? { code: thrown.code } : { error: String(thrown) };
    deps.log("message not answered", { message: id, deliveries, ...cause });
    if (deliveries >= LAST_DELIVERY)
      deps.telemetry.measure("sallyport.dead_letters", 1, { "sallyport.code": cause.code });
    throw thrown;
  }
}

/**
 * `message`: a message's body as the trigger gives it. `drain`: aborted when this process is about to stop; the run is
 * then handed over at its next checkpoint. Throws `queue.unparseable`, `queue.unknown_run`, and when the state cannot be
 * reached: the message then comes again.
 */
export async function answerDoorbell(
  deps: PullDeps,
  message: unknown,
  drain: AbortSignal,
  deliveries = 1,
): Promise<void> {
  const bell = parseDoorbell(message);
  await deps.telemetry.ofRun(bell, "slices", { "sallyport.deliveries": deliveries }, () =>
    answerBell(deps, bell, drain),
  );
}

async function answerBell(deps: PullDeps, { tenant, pull, run }: Doorbell, drain: AbortSignal): Promise<void> {
  const key = { tenant, pull };
  const result = await claimRun(deps, key, run);
  if (result.do === "leave") {
    // A bell rings after its run was written, and runs are never deleted: this one is not of this installation.
    if (result.why !== "unknown") return;
    throw new SallyportError("queue.unknown_run", "A message in the queue names a run that is not there.");
  }
  if (result.do === "work") {
    const { againMs } = await work(deps, result.claimed, drain);
    if (againMs !== undefined) await ringSafely(deps, key, run, againMs);
  }
  await publishAll(deps, key);
  await activateNext(deps, key);
}
