/** What a case of the conformance suite is, and how it reads through the connector as the agent does. */
import assert from "node:assert/strict";
import type { Grant, Outcome, Target } from "@sallyport/agent/src/connectors/connector.ts";
import { createMssqlConnector } from "@sallyport/agent/src/connectors/mssql/index.ts";
import { createRecorder, type Recorder } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { DEFAULT_LIMITS, type Operation } from "@sallyport/shared/schema/operations.ts";
import type { Ability, Server } from "./server.ts";

export interface Case {
  /** Which operation, mode or type this is about. */
  readonly of: string;
  readonly name: string;
  readonly needs?: readonly Ability[];
  run(server: Server): Promise<void>;
}

export interface ReadOptions {
  readonly grant?: Grant;
  readonly sliceRows?: number;
  readonly stopAt?: number;
  readonly batchBytes?: number;
  readonly target?: Partial<Target>;
  readonly signal?: AbortSignal;
  /** Runs once, before the first rows leave. */
  readonly meanwhile?: () => Promise<unknown>;
}

const GRANT: Grant = { kind: "table", rule: "conformance", columns: "*" };

/** One session of the connector. @throws SallyportError. */
export async function read(
  server: Server,
  operation: Operation,
  options: ReadOptions = {},
): Promise<Recorder & { readonly outcome: Outcome }> {
  let { meanwhile } = options;
  const output = createRecorder({
    ...(options.stopAt === undefined ? {} : { stopAt: options.stopAt }),
    ...(options.batchBytes === undefined ? {} : { batchBytes: options.batchBytes }),
    async beforeFlush() {
      const act = meanwhile;
      meanwhile = undefined;
      await act?.();
    },
  });
  const outcome = await createMssqlConnector({ sliceRows: options.sliceRows ?? 1000 })(
    { ...server.target, ...options.target },
    operation,
    options.grant ?? GRANT,
    DEFAULT_LIMITS,
    output,
    options.signal ?? new AbortController().signal,
  );
  return Object.assign(output, { outcome });
}

export async function refused(code: ErrorCode, reading: Promise<unknown>): Promise<void> {
  await assert.rejects(reading, (error) => {
    assert.ok(error instanceof SallyportError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

export const ids = ({ rows }: Pick<Recorder, "rows">): number[] => rows.map(([id]) => Number(id));

let made = 0;
/** Makes a table of its own for a case. @param columns as CREATE TABLE has them @returns its name in the schema */
export async function table(server: Server, columns: string): Promise<{ readonly name: string; readonly sql: string }> {
  const name = `T${++made}`;
  const sql = `[${server.schema}].[${name}]`;
  await server.run(`CREATE TABLE ${sql} (${columns})`);
  return { name: `${server.schema}.${name}`, sql };
}
