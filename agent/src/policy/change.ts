/** What the owner's rules leave of a request that changes something: rows written, a procedure called. */
import type { ParameterValue } from "@sallyport/shared/schema/operation-words.ts";
import type { AllowRule, CallParameter, CallRule, WriteRule } from "@sallyport/shared/schema/policy.ts";
import { isCallRule, isWriteRule } from "@sallyport/shared/schema/policy.ts";
import type { SqlCall, SqlWrite, TableValue } from "@sallyport/shared/schema/write-operations.ts";
import type { Grant } from "../connectors/connector.ts";
import { hasName, matchTable, sameName } from "../names.ts";
import { elsewhere, type Fit, type Misuse, nearly } from "./fit.ts";
import { type StatedLimits, sameValue } from "./limits.ts";

export type Change = SqlWrite | SqlCall;

export const isChange = (operation: { readonly op: string }): operation is Change =>
  operation.op === "sql.write" || operation.op === "sql.call";

/** What a rule makes of this operation. */
export function changeFit(rule: AllowRule, operation: Change): Fit<Grant> {
  const fit = fitOf(rule, operation);
  const misuse = "grant" in fit ? whyChangeMisused(fit.grant, operation) : undefined;
  return misuse === undefined ? fit : { misuse };
}

function fitOf(rule: AllowRule, operation: Change): Fit<Grant> {
  if (operation.op === "sql.write") return isWriteRule(rule) ? writeFit(rule, operation) : elsewhere;
  const grant = isCallRule(rule) ? callGrant(rule, operation) : undefined;
  return grant === undefined ? elsewhere : { grant };
}

function writeFit(rule: WriteRule, { table, action, columns }: SqlWrite): Fit<Grant> {
  const fits = rule.tables.map((pattern) => matchTable(pattern, table));
  if (fits.every((fit) => fit === undefined)) return elsewhere;
  if (!rule.allow.includes(action)) return nearly(`does not say \`${action}\``);
  const missing = columns.find((column) => !hasName(rule.columns, column));
  if (missing !== undefined) return nearly(`does not list ${missing}`);
  const grant: Grant = {
    kind: "write",
    rule: rule.id,
    named: fits.includes("name"),
    key: action === "insert" ? [] : (rule.key ?? []),
    ...(rule.requestTable === undefined ? {} : { requestTable: rule.requestTable }),
  };
  return { grant };
}

function callGrant(rule: CallRule, { procedure }: SqlCall): Grant | undefined {
  if (!sameName(rule.procedure, procedure)) return undefined;
  return {
    kind: "call",
    rule: rule.id,
    procedure: rule.procedure,
    parameters: rule.parameters,
    returns: rule.returns,
    effect: rule.effect,
    ...(rule.requestTable === undefined ? {} : { requestTable: rule.requestTable }),
  };
}

/** @param grant what the rule gave to this operation */
function whyChangeMisused(grant: Grant, operation: Change): Misuse | undefined {
  if (operation.idempotencyKey !== undefined && !("requestTable" in grant)) {
    return invalid("The policy names no table for idempotency keys: leave `idempotencyKey` out.");
  }
  if (operation.op === "sql.call") return grant.kind === "call" ? whyCallMisused(grant, operation) : undefined;
  return grant.kind === "write" ? whyWriteMisused(grant.key, operation) : undefined;
}

function whyWriteMisused(key: readonly string[], { action, columns }: SqlWrite): Misuse | undefined {
  if (new Set(columns.map((name) => name.toLowerCase())).size < columns.length) return invalid("A column comes twice.");
  const missing = key.find((name) => !hasName(columns, name));
  if (missing !== undefined) return invalid(`Rows are found by ${missing}, which the request leaves out.`);
  if (action === "delete" && columns.length !== key.length) return invalid("A delete takes the policy's key only.");
  if (action === "update" && columns.length === key.length) return invalid("An update needs a column beside the key.");
  return undefined;
}

function whyCallMisused(grant: Extract<Grant, { kind: "call" }>, operation: SqlCall): Misuse | undefined {
  if (operation.effect === "read" && grant.effect === "write") {
    return invalid("The policy says that this procedure writes: the request must not call it a read.");
  }
  const given = operation.parameters;
  const surplus = Object.keys(given).find((name) => !Object.hasOwn(grant.parameters, name));
  if (surplus !== undefined) return invalid(`The procedure has no parameter @${surplus}.`);
  for (const [name, declared] of Object.entries(grant.parameters)) {
    const misuse = whyParameterMisused(name, declared, Object.hasOwn(given, name) ? given[name] : undefined);
    if (misuse !== undefined) return misuse;
  }
  return undefined;
}

function whyParameterMisused(
  name: string,
  declared: CallParameter,
  value: ParameterValue | TableValue | undefined,
): Misuse | undefined {
  if (value === undefined) {
    const isOutput = "output" in declared && declared.output === true;
    return isOutput ? undefined : invalid(`The procedure's parameter @${name} has no value.`);
  }
  const isRows = typeof value === "object" && value !== null;
  if (isRows !== "tableType" in declared) {
    return invalid(`The parameter @${name} ${isRows ? "takes one value" : "takes rows"}.`);
  }
  if (isRows) return whyRowsMisused(name, declared, value);
  const listed = "in" in declared ? declared.in : undefined;
  if (listed === undefined || listed.some((one) => sameValue(one, value))) return undefined;
  return { code: "policy.denied", reason: `The policy does not list this value of @${name}.` };
}

function whyRowsMisused(name: string, declared: CallParameter, { columns, rows }: TableValue): Misuse | undefined {
  const wanted = "tableType" in declared ? Object.keys(declared.columns) : [];
  if (columns.length !== wanted.length || !columns.every((column, at) => sameName(column, wanted[at] ?? ""))) {
    return invalid(`The rows of @${name} have other columns than the policy lists, or another order.`);
  }
  const ragged = rows.findIndex((row) => row.length !== columns.length);
  return ragged < 0 ? undefined : invalid(`Row ${ragged} of @${name} has another number of values than columns.`);
}

const invalid = (reason: string): Misuse => ({ code: "request.invalid", reason });

/** The limits that a rule states: of a write, `rows` are those that come in. */
export function limitsOfRule(rule: AllowRule): StatedLimits | undefined {
  if (!isWriteRule(rule)) return rule.limits;
  const { rowsPerRequest: rows, rowsPerDay: _, ...limits } = rule.limits ?? {};
  return { ...limits, rows };
}
