/**
 * `sql.call`: a procedure of the policy's, its result sets checked against `returns`, its outputs and return value read
 * as exactly as rows are. One that writes runs in a transaction of ours, so that a refusal undoes what it did.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { MAX_SCHEMA_BYTES } from "@sallyport/shared/protocol/frames.ts";
import type { JsonValue } from "@sallyport/shared/rows/to-json.ts";
import type { ParameterValue } from "@sallyport/shared/schema/operation-words.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import type { CallParameter } from "@sallyport/shared/schema/policy.ts";
import type { SqlCall, TableValue } from "@sallyport/shared/schema/write-operations.ts";
import { splitTable } from "../../../names.ts";
import type { Grant, Outcome, Output } from "../../connector.ts";
import type { Session } from "../session.ts";
import { quoteName, type Statement } from "../statement.ts";
import { callParameter, tableParameter } from "./call-parameters.ts";
import { type ResultSet, readResults } from "./call-results.ts";
import { createRequestKeys } from "./requests.ts";
import { inTransaction } from "./transaction.ts";

export type CallGrant = Extract<Grant, { kind: "call" }>;

/** What a call gave, as its result frame tells it. */
export interface CallAnswer {
  readonly return: number | null;
  readonly outputs: Readonly<Record<string, JsonValue>>;
  readonly results: readonly ResultSet[];
}

/** Of the last result set, which is ours. No output of the owner's is called so: it begins with a space. */
const RETURN = " return";
/** What stands around an answer in its frame. */
const ENVELOPE_BYTES = 100;

/** @throws SallyportError; `write.outcome_unknown` where nobody can say whether it was done */
export async function call(
  session: Session,
  operation: SqlCall,
  grant: CallGrant,
  limits: Limits,
  output: Output,
  signal: AbortSignal,
): Promise<Outcome> {
  const outputs = Object.entries(grant.parameters).flatMap(([name, declared]) =>
    "output" in declared && declared.output === true ? [name] : [],
  );
  const statement = statementOf(operation, grant, outputs);
  const wanted = [...grant.returns, [RETURN, ...outputs]];
  const run = async (): Promise<CallAnswer> => {
    const answer = answerOf(await readResults(session, statement, wanted, limits, signal), outputs);
    requireSendable(answer, limits);
    return answer;
  };
  if (grant.effect === "read" && operation.idempotencyKey === undefined) {
    await output.result({ op: operation.op, ...(await run()), repeated: false });
    return { complete: true };
  }
  const { idempotencyKey: key } = operation;
  const keys =
    key === undefined || grant.requestTable === undefined
      ? undefined
      : createRequestKeys(session, grant.requestTable, key, subjectOf(operation, grant));
  const body = async (): Promise<{ readonly answer: unknown; readonly repeated: boolean }> => {
    const before = await keys?.take(signal);
    if (before !== undefined) return { answer: before.answer, repeated: true };
    const answer = await run();
    await keys?.keep(answer, signal);
    return { answer, repeated: false };
  };
  const { answer, repeated } = await inTransaction(session, "the owner's", body, signal);
  await output.result({ op: operation.op, ...(answer as object), repeated });
  return { complete: true, committed: true };
}

/** With what the owner lets come back: an answer of before is not given once that is less. */
const subjectOf = ({ procedure, parameters }: SqlCall, { returns }: CallGrant): string =>
  JSON.stringify(["sql.call", procedure, parameters, returns]);

/** Looked at before anything is committed: an answer that cannot be sent afterwards would be none. */
function requireSendable(answer: CallAnswer, limits: Limits): void {
  const mostBytes = Math.min(MAX_SCHEMA_BYTES, limits.bytes) - ENVELOPE_BYTES;
  if (Buffer.byteLength(JSON.stringify(answer)) <= mostBytes) return;
  throw new SallyportError("limit.bytes", `The procedure's results have more than ${mostBytes} bytes.`, {
    bytes: mostBytes,
  });
}

/** Values are bound, names are quoted; only types come from the policy's text, where they were checked by form. */
function statementOf(operation: SqlCall, { procedure, parameters }: CallGrant, outputs: readonly string[]): Statement {
  const [schema = "", name = ""] = splitTable(procedure) ?? [];
  const declared = Object.entries(parameters);
  const variables = outputs.map((output, at) => `@o${at} ${typeOf(parameters[output]!)}`);
  const given = (parameter: string): boolean => Object.hasOwn(operation.parameters, parameter);
  const passed = declared.map(([parameter], at) => {
    const variable = outputs.indexOf(parameter);
    return variable < 0 ? `@${parameter} = @p${at}` : `@${parameter} = @o${variable} OUTPUT`;
  });
  const first = declared.flatMap(([parameter], at) =>
    outputs.includes(parameter) && given(parameter) ? [`SET @o${outputs.indexOf(parameter)} = @p${at};`] : [],
  );
  const selected = [`@r AS ${quoteName(RETURN)}`, ...outputs.map((output, at) => `@o${at} AS ${quoteName(output)}`)];
  const sql = [
    `DECLARE ${["@r int", ...variables].join(", ")};`,
    ...first,
    `EXEC @r = ${quoteName(schema)}.${quoteName(name)} ${passed.join(", ")};`,
    `SELECT ${selected.join(", ")}`,
  ].join(" ");
  const bound = declared.flatMap(([parameter, type], at) =>
    given(parameter) ? [bind(`p${at}`, parameter, type, operation.parameters[parameter]!)] : [],
  );
  return { sql, parameters: bound };
}

const typeOf = (parameter: CallParameter): string => ("type" in parameter ? parameter.type : "");

function bind(name: string, parameter: string, declared: CallParameter, value: ParameterValue | TableValue) {
  const isRows = typeof value === "object" && value !== null;
  if ("tableType" in declared && isRows) {
    return { ...tableParameter(parameter, declared.tableType, declared.columns, value), name };
  }
  if ("type" in declared && !isRows) return { ...callParameter(parameter, declared.type, value), name };
  throw new SallyportError("request.invalid", `The parameter @${parameter} takes something else.`);
}

function answerOf(sets: readonly ResultSet[], outputs: readonly string[]): CallAnswer {
  const [values = []] = sets.at(-1)?.rows ?? [];
  const result = values[0];
  return {
    return: typeof result === "number" ? result : null,
    outputs: Object.fromEntries(outputs.map((name, at) => [name, values[at + 1] ?? null])),
    results: sets.slice(0, -1),
  };
}
