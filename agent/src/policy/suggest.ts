/** From a journal's denials to rules that would have allowed them: for reading, and for an owner to paste by hand. */
import { DEFAULT_LIMITS, operation as operationSchema } from "@sallyport/shared/schema/operations.ts";
import type { Connection, Policy } from "@sallyport/shared/schema/policy.ts";
import { decide, type Judged, TABLE_WORDS } from "./decide.ts";
import { findConnection } from "./find-connection.ts";

/** What a denial's line in the journal says of it. */
export interface Denial {
  readonly at: string;
  readonly request?: string | undefined;
  readonly caller?: string | undefined;
  readonly connection?: string | undefined;
  readonly op?: string | undefined;
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  /** The deny rule that decided it. */
  readonly rule?: string | undefined;
  /** Columns or attributes. */
  readonly asked?: readonly string[] | undefined;
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

const DIRECTORY_READS = { "ad.search": "search", "ad.changes": "changes" } as const;

/** In the order in which they were first asked for. Never raw SQL, a write, a call or a password. */
export function suggest(policy: Policy, denials: readonly Denial[], now: Date): Suggestions {
  const groups = new Map<string, Denial[]>();
  const left = new Map<string, number>([
    ["raw SQL or a statement (needs a named statement)", 0],
    ["password set", 0],
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
  const { op = "", action, object, rule, connection = "" } = denial;
  if (op === "sql.query") return "raw SQL or a statement (needs a named statement)";
  if (op === "ad.write" && action === "setPassword") return "password set";
  if (op === "sql.write" || op === "ad.write") return "write (say which by hand, with an end)";
  if (op === "sql.call") return "procedure call (say by hand what it does)";
  if (!(op in TABLE_WORDS) && !(op in DIRECTORY_READS)) return "request of another kind";
  const of = findConnection(policy, connection);
  if (of === undefined) return "connection that the policy does not have";
  if (rule !== undefined) return `what ${rule} denies or allows otherwise`;
  if (object === undefined) return "list of everything there is";
  if (/^(sys|information_schema)\./i.test(object)) return "system table, which is never allowed";
  if (op in DIRECTORY_READS && object.includes("*")) return "search below one person or computer";
  return isAllowedNow(policy, of, denial, now)
    ? "what the policy allows by now, or refused the login or the hour"
    : undefined;
}

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

function ruleLines(id: string, group: readonly Denial[]): string[] {
  const { op = "", object = "" } = group[0]!;
  const asked = namesOf(group);
  if (op in DIRECTORY_READS) {
    return [
      `- id: ${id}`,
      `  allow: [${DIRECTORY_READS[op as keyof typeof DIRECTORY_READS]}]`,
      `  bases: [${quoted(object)}]`,
      "  classes: [user] # the journal does not say which",
      `  attributes: ${asked}`,
    ];
  }
  return [
    `- id: ${id}`,
    `  allow: [${TABLE_WORDS[op as keyof typeof TABLE_WORDS]}]`,
    `  tables: [${quoted(object)}]`,
    ...(op === "sql.schema" ? [] : [`  columns: ${asked}`]),
  ];
}

/** All that was asked for, once each; `*` where anybody asked for everything. */
function namesOf(group: readonly Denial[]): string {
  const names = new Map<string, string>();
  for (const name of group.flatMap(({ asked }) => asked ?? ["*"])) {
    if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
  }
  if (names.has("*")) return '"*"';
  return `[${[...names.values()].map(quoted).join(", ")}]`;
}

/** A word as it is where YAML reads it as just that text; else in JSON's quotes, which are YAML's too. */
const quoted = (text: string): string =>
  /^[A-Za-z_][A-Za-z0-9_.]*$/.test(text) && !/^(true|false|null)$/i.test(text) ? text : JSON.stringify(text);
