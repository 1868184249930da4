/** From a journal's denials to rules that would have allowed them: for reading, and for an owner to paste by hand. */
import { DEFAULT_LIMITS, operation as operationSchema } from "@sallyport/shared/schema/operations.ts";
import type { Connection, Policy } from "@sallyport/shared/schema/policy.ts";
import { type Denied, neverSuggested, PASSWORD_SET, RAW, ruleLines } from "@sallyport/shared/schema/suggested-rule.ts";
import { decide, type Judged } from "./decide.ts";
import { findConnection } from "./find-connection.ts";

/** What a denial's line in the journal says of it. */
export interface Denial extends Denied {
  readonly at: string;
  readonly request?: string | undefined;
  readonly caller?: string | undefined;
  readonly connection?: string | undefined;
}

export interface Suggestion {
  readonly connection: string;
  readonly times: number;
  readonly last: Denial;
  /** YAML of one rule, to stand under `rules`. */
  readonly lines: readonly string[];
}

export interface Suggestions {
  readonly suggested: readonly Suggestion[];
  /** Why the others are not, each with how often. */
  readonly left: readonly { readonly what: string; readonly times: number }[];
}

/** In the order in which they were first asked for. Never raw SQL, a write, a call or a password. */
export function suggest(policy: Policy, denials: readonly Denial[], now: Date): Suggestions {
  const groups = new Map<string, Denial[]>();
  const left = new Map<string, number>([
    [RAW, 0],
    [PASSWORD_SET, 0],
  ]);
  for (const denial of denials) {
    const why = whyNot(policy, denial, now);
    if (why !== undefined) left.set(why, (left.get(why) ?? 0) + 1);
    else {
      const key = JSON.stringify([denial.connection, denial.op, denial.object?.toLowerCase()]);
      groups.set(key, [...(groups.get(key) ?? []), denial]);
    }
  }
  const taken = new Set(Object.values(policy.connections).flatMap(({ rules }) => rules.map(({ id }) => id)));
  const suggested = [...groups.values()].map((group): Suggestion => {
    const last = group.at(-1)!;
    return { connection: last.connection!, times: group.length, last, lines: ruleLines(freeId(taken), group) };
  });
  return { suggested, left: [...left].map(([what, times]) => ({ what, times })) };
}

function freeId(taken: Set<string>): string {
  let number = 1;
  while (taken.has(`suggested-${number}`)) number += 1;
  taken.add(`suggested-${number}`);
  return `suggested-${number}`;
}

function whyNot(policy: Policy, denial: Denial, now: Date): string | undefined {
  const of = findConnection(policy, denial.connection ?? "");
  const never = neverSuggested(denial);
  if (never !== undefined && (of !== undefined || isOfItsKind(denial))) return never;
  if (of === undefined) return "connection that the policy does not have";
  return isAllowedNow(policy, of, denial, now)
    ? "what the policy allows by now, or refused the login or the hour"
    : undefined;
}

/** What is never suggested for any connection goes before a connection that is not there; what a rule or a name says, after. */
const isOfItsKind = (denial: Denial): boolean =>
  neverSuggested({ ...denial, rule: undefined, object: "a" }) !== undefined;

/** Asked again with a login that the policy lists, at the same hour: a denial for the login's sake needs no rule. */
function isAllowedNow(policy: Policy, of: Connection, denial: Denial, now: Date): boolean {
  const operation = operationSchema.safeParse(operationOf(denial));
  if (!operation.success || operation.data.op === "agent.ping") return false;
  const { hours: _hours, ...open } = of;
  const name = denial.connection ?? "";
  const decision = decide(
    { ...policy, connections: { [name]: open as Connection } },
    {
      ...{ connection: name, operation: operation.data as Judged, limits: DEFAULT_LIMITS },
      ...{
        user: of.logins[0] ?? "",
        signIn: of.signIn[0] ?? "",
        sealed: "opened" as const,
        caller: denial.caller ?? "",
      },
    },
    now,
  );
  return "allow" in decision;
}

function operationOf({ op, object, asked }: Denial): object {
  const columns = asked?.includes("*") || asked === undefined ? "*" : asked;
  if (op === "sql.schema") return { op, table: object };
  if (op === "sql.table") return { op, table: object, columns, watermark: "none" };
  if (op === "sql.changes") return { op, table: object, columns, by: "cdc" };
  return { op, base: object, classes: ["user"], attributes: columns };
}
