/** What a login needs in its database for what a policy allows, and nothing beyond it (docs/connectors/mssql.md, "Rights"). */
import { type AllowRule, isCallRule, isWriteRule, type MssqlConnection } from "@sallyport/shared/schema/policy.ts";
import { matchTable } from "../names.ts";

export interface Right {
  readonly rule: string;
  readonly permission: string;
  /** Only SELECT and UPDATE can be given for columns. */
  readonly columns: "*" | readonly string[];
  readonly on: "object" | "type";
  /** `schema.name`; with a `*` it is every base table that it fits. */
  readonly name: string;
  /** Patterns of tables that it does not reach, for a name with a `*`. */
  readonly except: readonly string[];
}

type Wish = Pick<Right, "permission" | "columns" | "name"> & { readonly on?: Right["on"] };

const BY_ACTION: Readonly<Record<string, readonly string[]>> = {
  insert: ["INSERT"],
  update: ["SELECT", "UPDATE"],
  upsert: ["SELECT", "INSERT", "UPDATE"],
  delete: ["SELECT", "DELETE"],
  replace: ["SELECT", "INSERT", "UPDATE", "DELETE"],
};

/** In the order of the rules; what two rules allow is there once. */
export function rightsOf({ rules }: MssqlConnection): readonly Right[] {
  const denied = rules.flatMap((rule) => ("deny" in rule ? rule.tables : []));
  const rights = rules
    .flatMap((rule) => ("deny" in rule ? [] : wishes(rule).map((wish) => ({ ...wish, rule: rule.id }))))
    .filter(({ name }) => name.includes("*") || !denied.some((pattern) => matchTable(pattern, name)))
    .map((wish): Right => ({ on: "object", ...wish, except: wish.name.includes("*") ? denied : [] }));
  const seen = new Set<string>();
  return rights.filter(({ rule: _, ...right }) => {
    const text = JSON.stringify(right);
    return !seen.has(text) && seen.add(text);
  });
}

/** Rules whose rights only the owner can name: the agent does not read T-SQL. */
export const rulesByHand = ({ rules }: MssqlConnection): readonly string[] =>
  rules.flatMap((rule) => ("allow" in rule && ("sql" in rule || has(rule, "raw")) ? [rule.id] : []));

const has = (rule: AllowRule, word: string): boolean => (rule.allow as readonly string[]).includes(word);

function wishes(rule: AllowRule): Wish[] {
  if (isCallRule(rule)) {
    const types = Object.values(rule.parameters).flatMap((one) => ("tableType" in one ? [one.tableType] : []));
    return [
      { permission: "EXECUTE", columns: "*", name: rule.procedure },
      ...types.map((name) => ({ permission: "EXECUTE", columns: "*", on: "type", name }) as const),
      ...keeping(rule.requestTable),
    ];
  }
  if (isWriteRule(rule)) {
    const { columns } = rule;
    const needed = ["SELECT", "INSERT", "UPDATE", "DELETE"].filter((permission) =>
      rule.allow.some((action) => BY_ACTION[action]?.includes(permission)),
    );
    const listed = (permission: string) => permission === "SELECT" || permission === "UPDATE";
    return [
      ...rule.tables.flatMap((name) =>
        needed.map((permission): Wish => ({ permission, columns: listed(permission) ? columns : "*", name })),
      ),
      ...keeping(rule.requestTable),
    ];
  }
  if (!("tables" in rule)) return [];
  const reads = has(rule, "table") || has(rule, "changes");
  return rule.tables.flatMap((name): Wish[] => [
    // Who may read a table sees what it is; who may not is shown that alone.
    reads
      ? { permission: "SELECT", columns: rule.columns, name }
      : { permission: "VIEW DEFINITION", columns: "*", name },
    ...(has(rule, "changes") ? [{ permission: "VIEW CHANGE TRACKING", columns: "*", name } as const] : []),
  ]);
}

const keeping = (name: string | undefined): Wish[] =>
  name === undefined ? [] : ["SELECT", "INSERT", "UPDATE"].map((permission) => ({ permission, columns: "*", name }));
