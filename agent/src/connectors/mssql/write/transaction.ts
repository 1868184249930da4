/** One transaction whose end is known, or known not to be known. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { askBatch } from "../ask.ts";
import type { Session } from "../session.ts";

/** After a cancel the server has this long to say how a COMMIT or a ROLLBACK ended. */
const LAST_WORD_MS = 8_000;

/**
 * Runs `body` in a transaction and commits it.
 * @param statements `ours`: nothing in it commits by itself, so that a connection lost before COMMIT was sent has
 *   written nothing; of a procedure of the owner's nobody knows
 * @throws what the body throws, the signal's reason among it, once the server has confirmed the rollback;
 *   `write.outcome_unknown` where it did not, or where the connection was lost after COMMIT was sent.
 */
export async function inTransaction<Result>(
  session: Session,
  statements: "ours" | "the owner's",
  body: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  await askBatch(session, "SET XACT_ABORT ON; SET NOCOUNT ON; BEGIN TRANSACTION", signal);
  let result: Result;
  try {
    result = await body();
    signal.throwIfAborted();
  } catch (thrown) {
    const isLost = thrown instanceof SallyportError && thrown.code === "connection.lost";
    if (!(isLost && statements === "ours")) await rollBack(session, signal);
    // It may have committed ours as well as rolled it back: there is nothing left to ask.
    if (ENDED_BY_OTHERS.has(numberOf(thrown))) throw unknown(thrown, "The procedure ended the transaction itself.");
    throw thrown;
  }
  await commit(session, signal);
  return result;
}

/** From here on a cancel comes too late: what counts is what the server says. */
async function commit(session: Session, signal: AbortSignal): Promise<void> {
  const last = lastWord(signal);
  try {
    await askBatch(session, "COMMIT TRANSACTION", last.signal);
  } catch (thrown) {
    // An error with a number is the server's: it did not commit. A fatal one says only that the connection ends.
    if (numberOf(thrown) !== 0 && !isFatal(thrown) && !ENDED_BY_OTHERS.has(numberOf(thrown))) throw thrown;
    throw unknown(thrown);
  } finally {
    last.clear();
  }
}

/** Rolls back what there is; afterwards the server has no transaction of ours, and has said so. */
export async function rollBack(session: Session, signal: AbortSignal): Promise<void> {
  const last = lastWord(signal);
  try {
    // An error with XACT_ABORT, or a deadlock, may have ended it before.
    const [row] = await askBatch(
      session,
      "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; SELECT @@TRANCOUNT AS transactions",
      last.signal,
    );
    if (Number(row?.transactions) !== 0) throw new TypeError("A transaction is still open.");
  } catch (thrown) {
    throw unknown(thrown);
  } finally {
    last.clear();
  }
}

/** Aborts a while after the given signal does; the work itself is not cut short. */
function lastWord(signal: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => controller.abort(new Error("the server said nothing")), LAST_WORD_MS);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  return {
    signal: controller.signal,
    clear() {
      signal.removeEventListener("abort", begin);
      clearTimeout(timer);
    },
  };
}

/** Another count of transactions after a procedure than before it; a COMMIT or ROLLBACK without a transaction. */
const ENDED_BY_OTHERS: ReadonlySet<number> = new Set([266, 3902, 3903]);
/** Severity from which on the server ends the connection. */
const FATAL = 20;

/** The server's number; 0 for any other error. */
const numberOf = (thrown: unknown): number =>
  thrown instanceof SallyportError && typeof thrown.detail.number === "number" ? thrown.detail.number : 0;
const isFatal = (thrown: unknown): boolean =>
  thrown instanceof SallyportError && Number(thrown.detail.class ?? 0) >= FATAL;

const unknown = (
  cause: unknown,
  message = "The connection to SQL Server ended before it said whether the change was committed.",
): SallyportError => new SallyportError("write.outcome_unknown", message, {}, cause);
