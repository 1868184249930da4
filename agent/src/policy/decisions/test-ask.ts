/** The policy of the tables of decisions, and a short way to ask it. */
import { readFileSync } from "node:fs";
import { DEFAULT_LIMITS, operation as operationSchema } from "@sallyport/shared/schema/operations.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { type Decision, decide, type Judged, type PolicyRequest } from "../decide.ts";
import { parsePolicy } from "../file.ts";

export const NOW: Date = new Date("2026-11-20T12:00:00Z");
const file = new URL("policy.yaml", import.meta.url);
export const POLICY: Policy = parsePolicy(readFileSync(file, "utf8"), NOW);

/** One row of a table: who asks what, in as few words as it takes. */
export type Wish = Partial<Omit<PolicyRequest, "operation" | "limits">> & {
  readonly table?: string;
  readonly columns?: "*" | readonly string[];
  readonly filter?: readonly object[];
  readonly watermarkColumn?: string;
  readonly statement?: string;
  readonly raw?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean | null>>;
  /** Any operation, as the wire has it. */
  readonly op?: object;
  readonly at?: string;
};

const operationOf = ({ op, table, columns, filter, watermarkColumn, statement, raw, parameters }: Wish): Judged => {
  const query = { op: "sql.query", statement, raw, parameters: parameters ?? {} };
  const grown = watermarkColumn === undefined ? { watermark: "none" } : { watermark: "column", watermarkColumn };
  const read = {
    op: "sql.table",
    table,
    columns: columns ?? ["Id"],
    ...(filter === undefined ? {} : { filter }),
    ...grown,
  };
  // A table's name may be what no request could hold: the policy has to refuse it all the same.
  if (op === undefined) return (table === undefined ? query : read) as Judged;
  return operationSchema.parse(op) as Judged;
};

export function ask(wish: Wish, policy: Policy = POLICY): Decision {
  const isDirectory = wish.op !== undefined && String((wish.op as { op: string }).op).startsWith("ad.");
  const request = {
    connection: wish.connection ?? (isDirectory ? "corp" : "erp"),
    operation: operationOf(wish),
    limits: DEFAULT_LIMITS,
    user: wish.user ?? (isDirectory ? "svc-sync@corp.example" : "svc_sallyport"),
    signIn: wish.signIn ?? (isDirectory ? "simple" : "sql"),
    caller: wish.caller ?? "key:sp_any",
  };
  return decide(policy, request, wish.at === undefined ? NOW : new Date(wish.at));
}

/** `allow ID`, `deny CODE` or `deny CODE by ID`. */
export function verdict(decision: Decision): string {
  if ("allow" in decision) return `allow ${decision.allow.rule}`;
  return `deny ${decision.deny.code}${decision.deny.rule === undefined ? "" : ` by ${decision.deny.rule}`}`;
}

export type Row = readonly [expected: string, wish: Wish];
/** What is said where no rule is for it. */
export const no = "deny policy.denied";
