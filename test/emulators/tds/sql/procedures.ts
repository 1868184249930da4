/** The stored procedures that clients call: sp_executesql, a few others, and a test's own. */
import { convert } from "../values/convert.ts";
import { sqlError } from "../values/errors.ts";
import { MAX, sqlType } from "../values/type.ts";
import type { Call } from "./ast.ts";
import { describeFirstResultSet } from "./describe.ts";
import { findProcedure, ProcedureFailed, type RunText, runOwn, takeOutputs } from "./own-procedures.ts";
import { type Argument, bindParameters, parseParameters, TABLE_STAND_IN } from "./parameters.ts";
import { parseBatch } from "./parse.ts";
import { evaluate, type OnError, type Run } from "./run.ts";
import { cdcProcedure } from "./run-cdc.ts";
import { serverOf } from "./sessions.ts";
import type { Variable } from "./state.ts";

/** Runs a batch with variables of its own; they are returned, for OUTPUT parameters. */
export async function runWithParameters(
  run: Run,
  text: string,
  variables: Map<string, Variable>,
  runBatch: (run: Run, statements: ReturnType<typeof parseBatch>, onError: OnError) => Promise<void>,
  onError: OnError,
): Promise<void> {
  const outer = run.state.variables;
  run.state.variables = variables;
  try {
    await runBatch(run, parseBatch(text), onError);
  } finally {
    run.state.variables = outer;
  }
}

/** EXEC inside a batch. Throws error 2812 for a procedure that is not there. */
export async function runProcedure(
  run: Run,
  call: Call,
  onError: OnError,
  runBatch: Parameters<typeof runWithParameters>[3],
): Promise<void> {
  const name = (call.procedure.at(-1) ?? "").toLowerCase();
  const args = call.args.map((arg): Argument => {
    const { table } = arg.value.is === "variable" ? (run.state.variables.get(arg.value.name.toLowerCase()) ?? {}) : {};
    if (table !== undefined) return { name: arg.name ?? "", type: TABLE_STAND_IN, value: null, table };
    const { value, type } = evaluate(run.state, arg.value);
    return { name: arg.name ?? "", type, value };
  });
  const text = argumentText(args[0]);
  switch (name) {
    case "sp_executesql": {
      const declared = parseParameters(argumentText(args[1]));
      const variables = bindParameters(declared, args.slice(2), text);
      await runWithParameters(run, text, variables, runBatch, onError);
      for (const arg of call.args.slice(2)) copyOutput(run, arg, variables);
      return;
    }
    case "sp_describe_first_result_set":
      return describeFirstResultSet(run, text, parseParameters(argumentText(args[1])));
    default: {
      const cdc = cdcProcedure(name);
      if (cdc !== null) return cdc(run, args);
      const own = findProcedure(run.state, serverOf(run.state).procedures, call.procedure);
      if (own === undefined) throw sqlError(2812, call.procedure.join("."));
      const runText: RunText = (inner, batch, variables, tell) =>
        runWithParameters(inner, batch, variables, runBatch, tell);
      try {
        takeOutputs(run.state, call, own, await runOwn(run, own, args, runText, onError));
      } catch (error) {
        if (!(error instanceof ProcedureFailed)) throw error;
      }
      return;
    }
  }
}

const argumentText = (argument: Argument | undefined): string =>
  argument === undefined || argument.type === null
    ? ""
    : String(convert(argument.value, argument.type, sqlType("nvarchar", { length: MAX })) ?? "");

function copyOutput(run: Run, arg: Call["args"][number], variables: Map<string, Variable>): void {
  if (!arg.output || arg.value.is !== "variable") return;
  const target = run.state.variables.get(arg.value.name.toLowerCase());
  const source = variables.get((arg.name ?? "").toLowerCase());
  if (target !== undefined && source !== undefined) target.value = convert(source.value, source.type, target.type);
}
