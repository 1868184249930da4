/** Runs one statement and hands its rows on as they arrive, waiting for whoever takes them. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { Request } from "tedious";
import { statementError } from "./errors.ts";
import { containLateAnswer, createGuard, type Guard } from "./guard.ts";
import { attachSink } from "./hook.ts";
import type { Session } from "./session.ts";
import type { ValueSink } from "./sink.ts";
import { execute, type Statement } from "./statement.ts";
import type { WireColumn } from "./wire.ts";

export interface RowFlow {
  /** The result's columns, before its first row; gives each its sink. The query waits. */
  columns(wire: readonly WireColumn[], guard: Guard): Promise<readonly ValueSink[]>;
  /** After each row. True: the query pauses, and `drain` runs. */
  row(): boolean;
  drain(): Promise<"continue" | "stop">;
}

type DriverValue = { readonly value: unknown };

/**
 * @param idleMs this long without a row from the server (not counting waits of `drain`) is `sql.timeout`.
 * @returns `end` after the last row, `stopped` when `drain` said so.
 * @throws the first error of the flow, SallyportError for the server's, the signal's reason. The statement is then
 * cancelled; where the server does not confirm that in 5 seconds, the connection is destroyed.
 */
export function streamRows(
  session: Session,
  statement: Statement,
  flow: RowFlow,
  idleMs: number,
  signal: AbortSignal,
): Promise<"end" | "stopped"> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    session.messages.length = 0;
    let completed = false;
    let stopped = false;
    let active = true;
    let sinks: readonly ValueSink[] | undefined;
    let waiting: Promise<void> | undefined;

    const guard = createGuard(() => {
      if (!completed) request.cancel();
    });
    const request = new Request(statement.sql, (error) => {
      completed = true;
      signal.removeEventListener("abort", abort);
      clearInterval(idle);
      if (error && (guard.failed || stopped)) containLateAnswer(session);
      void Promise.resolve(waiting).then(() => {
        if (guard.failed) reject(guard.failure);
        else if (stopped) resolve("stopped");
        else if (error) reject(statementError(error, session.messages));
        else resolve("end");
      });
    });
    const abort = (): void => guard.fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const idle = setInterval(() => {
      if (!active && waiting === undefined) {
        guard.fail(new SallyportError("sql.timeout", "The server sent nothing for too long.", { idleMs }));
      }
      active = false;
    }, idleMs);

    /** Pauses the query until the work is done. A paused request takes no further token, so no row slips through. */
    const pauseFor = (work: Promise<"continue" | "stop">): void => {
      request.pause();
      waiting = work.then((next) => {
        waiting = undefined;
        active = true;
        if (guard.failed || completed) return;
        if (next === "stop") {
          stopped = true;
          request.cancel();
        } else request.resume();
      }, guard.fail);
    };
    request.on("columnMetadata", (columns) => {
      if (guard.failed || stopped) return;
      const wire = columns as unknown as readonly WireColumn[];
      if (sinks !== undefined) {
        guard.fail(new SallyportError("request.invalid", "The statement gives more than one result set."));
        return;
      }
      sinks = [];
      const opened = flow.columns(wire, guard).then((given) => {
        sinks = given;
        given.forEach((sink, at) => {
          attachSink(wire[at]!, sink);
        });
        return "continue" as const;
      });
      pauseFor(opened);
    });
    request.on("row", (columns: readonly DriverValue[]) => {
      if (guard.failed || stopped || sinks === undefined) return;
      active = true;
      for (let at = 0; at < columns.length; at++) if (columns[at]!.value === null) sinks[at]!.readNull();
      if (guard.failed) return;
      try {
        if (flow.row()) pauseFor(flow.drain());
      } catch (error) {
        guard.fail(error);
      }
    });
    execute(session.connection, request, statement.parameters);
  });
}
