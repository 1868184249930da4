/** The stored procedures that clients call: sp_executesql and a few others. */
import { convert } from "../values/convert.ts";
import { sqlError } from "../values/errors.ts";
import { MAX, type SqlType, type SqlValue, sqlType } from "../values/type.ts";
import type { Call } from "./ast.ts";
import { type Cursor, dataType, list, next, peek, syntaxError, take } from "./cursor.ts";
import { describeFirstResultSet } from "./describe.ts";
import { tokenize } from "./lexer.ts";
import { parseBatch } from "./parse.ts";
import { parseQuery } from "./parse-query.ts";
import { evaluate, type OnError, type Run } from "./run.ts";
import { cdcProcedure } from "./run-cdc.ts";
import type { Variable } from "./state.ts";

export interface Parameter {
  readonly name: string;
  readonly type: SqlType;
  readonly output: boolean;
}

/** `@a int, @b nvarchar(10) OUTPUT`, as sp_executesql and sp_prepare declare parameters. */
export function parseParameters(text: string): Parameter[] {
  const cursor: Cursor = { text, tokens: tokenize(text), at: 0, query: parseQuery };
  if (peek(cursor).kind === "end") return [];
  const parameters = list(cursor, (inner): Parameter => {
    const token = next(inner);
    if (token.kind !== "variable") throw syntaxError(token);
    take(inner, "AS");
    const type = dataType(inner, 1);
    const output = take(inner, "OUTPUT") || take(inner, "OUT");
    return { name: token.text.toLowerCase(), type, output };
  });
  if (peek(cursor).kind !== "end") throw syntaxError(peek(cursor));
  return parameters;
}

export interface Argument {
  readonly name: string;
  readonly type: SqlType | null;
  readonly value: SqlValue;
}

/** Arguments by name or, unnamed, by place. Throws error 8178 for one that is missing, 8144 for one too many. */
export function bindParameters(
  declared: readonly Parameter[],
  given: readonly Argument[],
  text: string,
): Map<string, Variable> {
  if (given.length > declared.length) throw sqlError(8144, "sp_executesql");
  const variables = new Map<string, Variable>();
  declared.forEach((parameter, at) => {
    const named = given.find((argument) => argument.name.toLowerCase() === parameter.name);
    const argument = named ?? (given[at]?.name === "" ? given[at] : undefined);
    if (argument === undefined && !parameter.output) throw sqlError(8178, text.slice(0, 100), parameter.name);
    const value =
      argument === undefined || argument.type === null ? null : convert(argument.value, argument.type, parameter.type);
    variables.set(parameter.name, { type: parameter.type, value });
  });
  return variables;
}

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
      throw sqlError(2812, call.procedure.join("."));
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
