/** Stored procedures that a test writes in TypeScript: their parameters, their rights, their run. */
import { convert } from "../values/convert.ts";
import { type SqlError, sqlError } from "../values/errors.ts";
import { toText } from "../values/to-text.ts";
import { type SqlType, type SqlValue, sqlType } from "../values/type.ts";
import type { Call } from "./ast.ts";
import { splitName } from "./catalog.ts";
import { type Argument, parseParameters } from "./parameters.ts";
import { may } from "./rights.ts";
import type { OnError, Run } from "./run.ts";
import type { State, Variable } from "./state.ts";

/** What a procedure is given, and what it may do. */
export interface ProcedureCall {
  /** Each parameter as T-SQL would print it; null for NULL and for what was not given. */
  readonly values: Readonly<Record<string, string | null>>;
  /** Rows of a table-valued parameter, each value as T-SQL would print it. */
  rows(parameter: string): readonly (readonly (string | null)[])[];
  /**
   * Runs T-SQL in the caller's session and transaction, with the parameters as variables: result sets go to the client,
   * and `SET @x = …` of an output parameter to its caller. Rejects with the first error, after the client was told.
   */
  sql(text: string): Promise<void>;
}

export interface Procedure {
  /** `dbo.CloseOrder`. */
  readonly name: string;
  /** As CREATE PROCEDURE declares them: `@id int, @total decimal(18,4) OUTPUT, @lines dbo.OrderLines READONLY`. */
  readonly parameters: string;
  /** Resolves with the return value, 0 by default. */
  run(call: ProcedureCall): Promise<number | undefined> | number | undefined;
}

/** Runs T-SQL with these variables: handed in, because statements and procedures hold each other. */
export type RunText = (run: Run, text: string, variables: Map<string, Variable>, onError: OnError) => Promise<void>;

export interface OwnResult {
  readonly returned: number;
  readonly variables: ReadonlyMap<string, Variable>;
}

export function findProcedure(
  state: State,
  procedures: ReadonlyMap<string, Procedure>,
  parts: readonly string[],
): Procedure | undefined {
  const place = splitName(parts, state.store.database);
  return place === null ? undefined : procedures.get(`${place.schema}.${place.name}`.toLowerCase());
}

/** Throws errors 229, 201 and 8144, and what the procedure throws. */
export async function runOwn(
  run: Run,
  procedure: Procedure,
  given: readonly Argument[],
  runText: RunText,
  onError: OnError,
): Promise<OwnResult> {
  const { state } = run;
  const [schema = "", name = ""] = procedure.name.split(".");
  if (!may(state.login, "EXECUTE", schema, name)) {
    throw sqlError(229, "EXECUTE", name, state.store.database, schema);
  }
  const variables = bound(procedure, given);
  const shown = [...variables].map(([key, { type, value }]) => [
    key.slice(1),
    value === null ? null : text(value, type),
  ]);
  const returned = await procedure.run({
    values: Object.fromEntries(shown),
    rows(parameter) {
      const { table } = variables.get(`@${parameter.toLowerCase()}`) ?? {};
      return (table?.rows ?? []).map((row) =>
        row.map((value, at) => (value === null ? null : text(value, table?.types[at] ?? sqlType("int")))),
      );
    },
    async sql(batch) {
      let first: SqlError | undefined;
      await runText(run, batch, variables, (error) => {
        first ??= error;
        onError(error);
      });
      if (first !== undefined) throw new ProcedureFailed();
    },
  });
  return { returned: returned ?? 0, variables };
}

/** An error of a procedure's own T-SQL, which the client has been told already. */
export class ProcedureFailed extends Error {}

const text = (value: Exclude<SqlValue, null>, type: SqlType): string => toText(value, type, 121, true) ?? "";

const NOTHING: Partial<Argument> = {};

function bound(procedure: Procedure, given: readonly Argument[]): Map<string, Variable> {
  const declared = parseParameters(procedure.parameters);
  const strange = given.find(({ name }) => name !== "" && !declared.some((one) => one.name === name.toLowerCase()));
  if (given.length > declared.length || strange !== undefined) throw sqlError(8144, procedure.name);
  return new Map(
    declared.map((parameter, at): [string, Variable] => {
      const argument =
        given.find(({ name }) => name.toLowerCase() === parameter.name) ??
        (given[at]?.name === "" ? given[at] : undefined);
      if (argument === undefined && !parameter.output) throw sqlError(201, procedure.name, parameter.name);
      const { type = null, table, value: raw = null } = argument ?? NOTHING;
      const value = type === null ? null : convert(raw, type, parameter.type);
      return [parameter.name, { type: parameter.type, value, ...(table === undefined ? {} : { table }) }];
    }),
  );
}

/** The OUTPUT arguments of an EXEC, and its return value, into the caller's variables. */
export function takeOutputs(state: State, call: Call, procedure: Procedure, { returned, variables }: OwnResult): void {
  const declared = parseParameters(procedure.parameters);
  call.args.forEach((arg, at) => {
    if (!arg.output || arg.value.is !== "variable") return;
    const target = state.variables.get(arg.value.name.toLowerCase());
    const source = variables.get(arg.name?.toLowerCase() ?? declared[at]?.name ?? "");
    if (target !== undefined && source !== undefined) target.value = convert(source.value, source.type, target.type);
  });
  const into = call.into === undefined ? undefined : state.variables.get(call.into.toLowerCase());
  if (into !== undefined) into.value = convert(BigInt(returned), sqlType("bigint"), into.type);
}
