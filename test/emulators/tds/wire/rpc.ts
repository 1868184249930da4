/** RPC requests [MS-TDS 2.2.6.6]: sp_executesql and the prepared statements of tedious and mssql. */
import { runBatch } from "../sql/execute.ts";
import { type Argument, bindParameters, type Parameter, parseParameters, TABLE_STAND_IN } from "../sql/parameters.ts";
import { runProcedure, runWithParameters } from "../sql/procedures.ts";
import type { OnError, Run } from "../sql/run.ts";
import { nameParts } from "../sql/server-functions.ts";
import type { Variable } from "../sql/state.ts";
import { sqlError } from "../values/errors.ts";
import { partsOf } from "../values/parts.ts";
import { toText } from "../values/to-text.ts";
import { describe, isString, type SqlType, type SqlValue, sqlType } from "../values/type.ts";
import { type Reader, shortText, u8, u16, ucs2 } from "./reader.ts";
import { readTable, TABLE_TYPE } from "./table-value.ts";
import { returnStatus, returnValue } from "./tokens.ts";
import { readTypeInfo } from "./types-read.ts";
import type { Writer } from "./writer.ts";

/** ProcIDs that stand for a name [MS-TDS 2.2.6.6]. */
const PROCEDURES: Readonly<Record<number, string>> = {
  10: "sp_executesql",
  11: "sp_prepare",
  12: "sp_execute",
  13: "sp_prepexec",
  14: "sp_prepexecrpc",
  15: "sp_unprepare",
};

export interface RpcParameter extends Argument {
  readonly type: SqlType;
  readonly output: boolean;
}

export interface RpcRequest {
  readonly procedure: string;
  readonly parameters: readonly RpcParameter[];
}

/** Reads the request; the headers are behind the reader already. */
export function readRpc(reader: Reader): RpcRequest {
  const length = u16(reader);
  const called = length === 0xffff ? u16(reader) : ucs2(reader, length);
  const procedure = typeof called === "number" ? PROCEDURES[called] : called;
  if (procedure === undefined) throw sqlError(2812, String(called));
  u16(reader);
  const parameters: RpcParameter[] = [];
  while (reader.at < reader.buffer.length) {
    // A batch of several calls is parted by these.
    if (reader.buffer[reader.at] === 0x80 || reader.buffer[reader.at] === 0xff) throw new RangeError("a batch of RPCs");
    const name = shortText(reader);
    const status = u8(reader);
    if (reader.buffer[reader.at] === TABLE_TYPE) {
      parameters.push({ name, type: TABLE_STAND_IN, value: null, table: readTable(reader), output: false });
      continue;
    }
    const wire = readTypeInfo(reader);
    parameters.push({ name, type: wire.type, value: wire.read(reader), output: (status & 1) !== 0 });
  }
  return { procedure, parameters };
}

/** The statement of the request, for the log and the faults. */
export function rpcText(request: RpcRequest, prepared: ReadonlyMap<number, Prepared>): string {
  const name = request.procedure.toLowerCase();
  if (name === "sp_executesql") return asString(request.parameters[0]);
  if (name === "sp_prepare" || name === "sp_prepexec") return asString(request.parameters[2]);
  if (name === "sp_execute") return prepared.get(Number(request.parameters[0]?.value))?.text ?? "";
  return request.procedure;
}

const asString = (parameter: Argument | undefined): string =>
  typeof parameter?.value === "string" ? parameter.value : "";

/** A parameter as the log shows it: numbers and text as they are, the rest as T-SQL would print it. */
export function shown({ type, value, table }: RpcParameter): { type: string; value: unknown } {
  if (table !== undefined) return { type: "table", value: table.rows.length };
  if (value === null || isString(type) || typeof value === "number") return { type: describe(type), value };
  return { type: describe(type), value: toText(value, type, 1, false) };
}

export interface Prepared {
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

const INT = sqlType("int");

interface Outcome {
  /** OUTPUT parameters, written after the statements' tokens. */
  readonly outputs: readonly { readonly name: string; readonly type: SqlType; readonly value: SqlValue }[];
  /** A procedure's return value; 0 without it. */
  readonly status?: number;
}

/** Runs the request. Throws what `runBatch` throws; error 8179 for a handle that is not open. */
export async function runRpc(
  run: Run,
  request: RpcRequest,
  prepared: Map<number, Prepared>,
  onError: OnError,
): Promise<Outcome> {
  const { parameters } = request;
  const named = (variables: Map<string, Variable>, given: readonly RpcParameter[]): Outcome => ({
    outputs: given
      .filter(({ output }) => output)
      .flatMap(({ name }) => {
        const variable = variables.get(name.toLowerCase());
        return variable === undefined ? [] : [{ name, type: variable.type, value: variable.value }];
      }),
  });
  const execute = async (
    text: string,
    declared: readonly Parameter[],
    given: readonly RpcParameter[],
  ): Promise<Outcome> => {
    const variables = bindParameters(declared, given, text);
    await runWithParameters(run, text, variables, runBatch, onError);
    return named(variables, given);
  };
  switch (request.procedure.toLowerCase().replace(/^(master\.)?(\.|dbo\.|sys\.)?/, "")) {
    case "sp_executesql":
      return execute(asString(parameters[0]), parseParameters(asString(parameters[1])), parameters.slice(2));
    case "sp_prepare":
      return { outputs: [handleOutput(parameters[0], prepare(prepared, parameters))] };
    case "sp_prepexec": {
      const handle = prepare(prepared, parameters);
      const made = prepared.get(handle) as Prepared;
      const { outputs } = await execute(made.text, made.parameters, parameters.slice(3));
      return { outputs: [handleOutput(parameters[0], handle), ...outputs] };
    }
    case "sp_execute": {
      const handle = Number(parameters[0]?.value);
      const made = prepared.get(handle);
      if (made === undefined) throw sqlError(8179, handle);
      return execute(made.text, made.parameters, parameters.slice(1));
    }
    case "sp_unprepare":
      if (!prepared.delete(Number(parameters[0]?.value))) throw sqlError(8179, Number(parameters[0]?.value));
      return { outputs: [] };
    default:
      return callByName(run, request, onError);
  }
}

/** The parameters become variables of their own, so that outputs and the return value have somewhere to go. */
async function callByName(run: Run, { procedure, parameters }: RpcRequest, onError: OnError): Promise<Outcome> {
  const { state } = run;
  const token = { kind: "variable", text: "", from: 0, to: 0, line: 1 } as const;
  const outer = state.variables;
  const variables = new Map<string, Variable>([["@return", { type: INT, value: 0n }]]);
  const args = parameters.map(({ name, type, value, table, output }, at) => {
    const variable = `@${at}`;
    variables.set(variable, { type, value, ...(table === undefined ? {} : { table }) });
    return { name: name === "" ? null : name, value: { is: "variable", name: variable, token } as const, output };
  });
  state.variables = variables;
  try {
    const parts = nameParts(procedure);
    await runProcedure(run, { is: "execute", procedure: parts, args, into: "@return" }, onError, runBatch);
  } finally {
    state.variables = outer;
  }
  const outputs = parameters.flatMap(({ name, output }, at) => {
    const variable = variables.get(`@${at}`);
    return output && variable !== undefined ? [{ name, type: variable.type, value: variable.value }] : [];
  });
  return { outputs, status: Number(variables.get("@return")?.value ?? 0) };
}

let handles = 0;

// The text is not looked at before it runs: errors come with sp_execute.
function prepare(prepared: Map<number, Prepared>, parameters: readonly RpcParameter[]): number {
  handles++;
  prepared.set(handles, { text: asString(parameters[2]), parameters: parseParameters(asString(parameters[1])) });
  return handles;
}

const handleOutput = (parameter: RpcParameter | undefined, value: number) => ({
  name: parameter?.name ?? "",
  type: INT,
  value,
});

/** RETURNSTATUS and the OUTPUT parameters. */
export function writeOutcome(run: Run, writer: Writer, { outputs, status = 0 }: Outcome): void {
  outputs.forEach(({ name, type, value }, at) => {
    returnValue(writer, at, name, type, inParts(run, type, value));
  });
  returnStatus(writer, status);
}

// SQLite itself takes the value apart, as it does for rows.
function inParts(run: Run, type: SqlType, value: SqlValue): SqlValue[] {
  const statement = run.state.sqlite.prepare(`SELECT ${partsOf(type, "?1").join(",")}`);
  statement.setReturnArrays(true);
  return statement.get(value) as unknown as SqlValue[];
}
