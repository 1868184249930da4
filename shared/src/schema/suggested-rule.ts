/**
 * From a denial to the rule that would have allowed it: for the policy's owner to read and paste, never to be applied by
 * itself. Both sides print the same lines: the agent of its journal, the orchestrator of a run or request that was denied.
 */

/** What is known of a denied request. */
export interface Denied {
  readonly op?: string | undefined;
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  /** The deny rule that decided it. */
  readonly rule?: string | undefined;
  /** Columns or attributes. */
  readonly asked?: readonly string[] | undefined;
}

/** The word of `allow` for each operation that a rule is suggested for. */
const TABLE_WORDS: Readonly<Record<string, string>> = {
  "sql.table": "table",
  "sql.changes": "changes",
  "sql.schema": "schema",
};
const DIRECTORY_WORDS: Readonly<Record<string, string>> = { "ad.search": "search", "ad.changes": "changes" };

export const RAW = "raw SQL or a statement (needs a named statement)";
export const PASSWORD_SET = "password set";

/** Why no rule is suggested for it, whatever the policy says; undefined where one may be. Never raw SQL, a write, a call or a password. */
export function neverSuggested({ op = "", action, object, rule }: Denied): string | undefined {
  if (op === "sql.query") return RAW;
  if (op === "ad.write" && action === "setPassword") return PASSWORD_SET;
  if (op === "sql.write" || op === "ad.write") return "write (say which by hand, with an end)";
  if (op === "sql.call") return "procedure call (say by hand what it does)";
  if (!Object.hasOwn(TABLE_WORDS, op) && !Object.hasOwn(DIRECTORY_WORDS, op)) return "request of another kind";
  if (rule !== undefined) return `what ${rule} denies or allows otherwise`;
  if (object === undefined) return "list of everything there is";
  if (/^(sys|information_schema)\./i.test(object)) return "system table, which is never allowed";
  if (Object.hasOwn(DIRECTORY_WORDS, op) && object.includes("*")) return "search below one person or computer";
  return undefined;
}

/** YAML of one rule for denials of the same operation on the same object, to stand under `rules`. */
export function ruleLines(id: string, group: readonly Denied[]): string[] {
  const { op = "", object = "" } = group[0] ?? {};
  const asked = namesOf(group);
  const word = DIRECTORY_WORDS[op];
  if (word !== undefined) {
    return [
      `- id: ${id}`,
      `  allow: [${word}]`,
      `  bases: [${quoted(object)}]`,
      "  classes: [user] # the journal does not say which",
      `  attributes: ${asked}`,
    ];
  }
  return [
    `- id: ${id}`,
    `  allow: [${TABLE_WORDS[op]}]`,
    `  tables: [${quoted(object)}]`,
    ...(op === "sql.schema" ? [] : [`  columns: ${asked}`]),
  ];
}

/** All that was asked for, once each; `*` where anybody asked for everything. */
function namesOf(group: readonly Denied[]): string {
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

/** What an operation asked for, as a journal's line would have it. */
export function deniedOf(operation: Readonly<Record<string, unknown>>, rule: string | undefined): Denied {
  const { op, table, base, columns, attributes, action } = operation;
  const object = table ?? base;
  const asked = columns ?? attributes;
  return {
    op: String(op),
    ...(typeof action === "string" ? { action } : {}),
    ...(typeof object === "string" ? { object } : {}),
    ...(Array.isArray(asked) ? { asked: asked.map(String) } : {}),
    ...(rule === undefined ? {} : { rule }),
  };
}
