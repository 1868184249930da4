/** Properties over random rules and requests from a small world, so that they meet often. */
import { test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import fc from "fast-check";
import { decide, type Judged } from "./decide.ts";
import { NOW, POLICY, verdict } from "./decisions/test-ask.ts";

const schemaName = fc.constantFrom("a", "A", "b", "hr");
const table = fc
  .tuple(schemaName, fc.constantFrom("T", "t", "Tab", "x", "Other"))
  .map(([schema, name]) => `${schema}.${name}`);
const pattern = fc
  .tuple(schemaName, fc.constantFrom("*", "T*", "*b", "t", "Tab", "x"))
  .map(([schema, name]) => `${schema}.${name}`);
const column = fc.constantFrom("C1", "c1", "C2", "C3");
const columnList = fc.uniqueArray(column, { minLength: 1, selector: (name) => name.toLowerCase() });
const columns = fc.oneof(fc.constant("*" as const), columnList);
const tables = fc.array(pattern, { minLength: 1, maxLength: 3 });
const verbs = fc.subarray(["table", "changes", "schema"], { minLength: 1 });
const masks = fc.option(fc.dictionary(column, fc.constantFrom("hash", "null"), { minKeys: 1, maxKeys: 2 }), {
  nil: undefined,
});
const callers = fc.option(fc.constant(["key:sp_other"]), { nil: undefined, freq: 4 });
const until = fc.option(fc.constantFrom("2026-11-19", "2026-11-20"), { nil: undefined, freq: 3 });
const filterOn = fc.option(columnList, { nil: undefined, freq: 2 });

const readRule = fc.record({ allow: verbs, tables, columns, filterOn, callers, until });
const maskedRule = fc.record({ allow: verbs, tables, columns, mask: masks });
const writeRule = fc.record({
  allow: fc.subarray(["insert", "update", "delete"], { minLength: 1 }),
  tables,
  columns: fc.constant(["C1", "C2"]),
  key: fc.constant(["C1"]),
});
const callRule = fc.record({
  allow: fc.constant(["call"]),
  procedure: fc.constantFrom("a.T", "hr.x"),
  parameters: fc.constantFrom({ p: { type: "int" } }, { p: { type: "int", in: [1] } }, { p: { type: "int", in: [2] } }),
  returns: fc.constant([]),
  effect: fc.constantFrom("read", "write"),
});
const statementRule = fc.record({
  ...{ allow: fc.constant(["statement"]), name: fc.constantFrom("one", "two"), sql: fc.constant("SELECT 1 AS A") },
  ...{ parameters: fc.constant({}), returns: fc.constant(["A"]) },
});
const denyRule = fc.record({ deny: fc.constant("all"), tables });
const rules = fc.array(fc.oneof(readRule, readRule, maskedRule, writeRule, callRule, statementRule, denyRule), {
  maxLength: 7,
});

const condition = fc.record({ column, is: fc.constant("equal"), value: fc.constant(1) });
const filter = fc.option(fc.array(condition, { minLength: 1, maxLength: 2 }), { nil: undefined });
const read = fc.record({ op: fc.constant("sql.table"), table, columns, filter, watermark: fc.constant("none") });
const operation = fc.oneof(
  read,
  read,
  fc.record({ op: fc.constant("sql.changes"), table, columns, by: fc.constant("cdc") }),
  fc.record({ op: fc.constant("sql.schema"), table: fc.option(table, { nil: undefined }) }),
  fc.record({
    ...{ op: fc.constant("sql.write"), table, action: fc.constantFrom("insert", "update", "delete") },
    columns: fc.constantFrom(["C1"], ["C1", "C2"], ["C2"], ["C1", "C3"]),
  }),
  fc.record({
    ...{ op: fc.constant("sql.call"), procedure: fc.constantFrom("a.T", "hr.x"), effect: fc.constant("write") },
    parameters: fc.constantFrom({ p: 1 }, { p: 2 }, {}),
  }),
  fc.record({
    ...{ op: fc.constant("sql.query"), statement: fc.constantFrom("one", "two"), parameters: fc.constant({}) },
  }),
) as fc.Arbitrary<Judged>;

const base = fc.constantFrom(
  ...["DC=x", "OU=A,DC=x", "OU=B,OU=A,DC=x", "CN=k,OU=B,OU=A,DC=x", "ou=a,dc=X", "OU=Other,DC=x"],
);
const bases = fc.array(base, { minLength: 1, maxLength: 2 });
const attribute = fc.constantFrom("mail", "title", "unicodePwd", "description");
const attributes = fc.oneof(fc.constant("*" as const), fc.uniqueArray(attribute, { minLength: 1 }));
const ruleOfDirectory = fc.oneof(
  fc.record({ allow: fc.constant(["search"]), bases, classes: fc.constantFrom("*", ["user"]), attributes }),
  fc.record({
    ...{ allow: fc.subarray(["add", "modify", "move", "delete"], { minLength: 1 }), bases, destinations: bases },
    ...{ classes: fc.constant("*"), attributes: fc.constant(["mail"]), until: fc.constant("2026-12-31") },
    limits: fc.constant({}),
  }),
);
const denyOfDirectory = fc.record({ deny: fc.constant("all"), bases });
const rulesOfDirectory = fc.array(fc.oneof(ruleOfDirectory, ruleOfDirectory, denyOfDirectory), { maxLength: 6 });
const everyWrite = { op: fc.constant("ad.write"), object: base, class: fc.constant("user") };
const inDirectory = fc.oneof(
  fc.record({
    ...{ op: fc.constant("ad.search"), base, scope: fc.constantFrom("base", "subtree"), attributes },
    classes: fc.constantFrom(["user"], ["user", "group"]),
  }),
  fc.record({ ...everyWrite, action: fc.constant("move"), destination: base }),
  fc.record({ ...everyWrite, action: fc.constant("delete") }),
  fc.record({ ...everyWrite, action: fc.constant("add"), attributes: fc.constantFrom({}, { mail: ["x"] }) }),
) as fc.Arbitrary<Judged>;

type Rules = readonly object[];
/** Each rule keeps its name, wherever it stands. */
const named = (list: Rules): Rules => list.map((rule, at) => ({ id: `r${at}`, ...rule }));
const decideBy = (name: "erp" | "corp", list: Rules, asked: Judged) => {
  const connection = POLICY.connections[name]!;
  const policy = { ...POLICY, connections: { [name]: { ...connection, rules: named(list) } } } as unknown as Policy;
  const who = { user: connection.logins[0]!, signIn: connection.signIn[0]!, caller: "key:sp_any" };
  return decide(policy, { connection: name, operation: asked, limits: DEFAULT_LIMITS, ...who }, NOW);
};
const isAllowed = (name: "erp" | "corp", list: Rules, asked: Judged): boolean => "allow" in decideBy(name, list, asked);

const WORLDS = [
  { name: "erp", lists: rules, deny: denyRule, asked: operation },
  { name: "corp", lists: rulesOfDirectory, deny: denyOfDirectory, asked: inDirectory },
] as const;
const RUNS = { numRuns: 1500 };

for (const { name, lists, deny, asked } of WORLDS) {
  test(`${name}: a further deny rule never allows more`, () => {
    fc.assert(
      fc.property(lists as fc.Arbitrary<Rules>, deny, fc.nat(6), asked, (list, against, at, wanted) => {
        const more = [...list.slice(0, at), against, ...list.slice(at)];
        return !isAllowed(name, more, wanted) || isAllowed(name, list, wanted);
      }),
      RUNS,
    );
  });

  test(`${name}: the order of rules never changes whether a request is allowed`, () => {
    const shuffled = (lists as fc.Arbitrary<Rules>).chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list as object[], { minLength: list.length, maxLength: list.length }),
      ),
    );
    fc.assert(
      fc.property(
        shuffled,
        asked,
        ([list, other], wanted) => isAllowed(name, list, wanted) === isAllowed(name, other, wanted),
      ),
      RUNS,
    );
  });
}

test("a further allow rule never denies, but where masks differ", () => {
  fc.assert(
    fc.property(rules, fc.oneof(readRule, maskedRule, writeRule, callRule), operation, (list, allow, wanted) => {
      const decision = decideBy("erp", [...list, allow], wanted);
      return !isAllowed("erp", list, wanted) || "allow" in decision || decision.deny.code === "policy.ambiguous";
    }),
    RUNS,
  );
});

/** Fewer columns, fewer conditions: what is asked for less. */
const narrowed = read.chain((wide) =>
  fc.record({
    wide: fc.constant(wide),
    narrow: fc.record({
      op: fc.constant("sql.table"),
      table: fc.constant(wide.table),
      columns: wide.columns === "*" ? columnList : fc.shuffledSubarray([...wide.columns], { minLength: 1 }),
      filter: wide.filter === undefined ? fc.constant(undefined) : fc.constantFrom(undefined, wide.filter.slice(0, 1)),
      watermark: fc.constant("none"),
    }),
  }),
) as unknown as fc.Arbitrary<{ readonly wide: Judged; readonly narrow: Judged }>;

test("asking for less never turns yes into no, but where masks differ", () => {
  fc.assert(
    fc.property(rules, narrowed, (list, { wide, narrow }) => {
      const decision = decideBy("erp", list, narrow);
      return !isAllowed("erp", list, wide) || "allow" in decision || decision.deny.code === "policy.ambiguous";
    }),
    RUNS,
  );
});

test("asking for less never turns yes into no at all, where no rule masks", () => {
  const plain = fc.array(fc.oneof(readRule, readRule, writeRule, denyRule), { maxLength: 7 });
  fc.assert(
    fc.property(
      plain,
      narrowed,
      (list, { wide, narrow }) => !isAllowed("erp", list, wide) || isAllowed("erp", list, narrow),
    ),
    RUNS,
  );
});

test("in a directory too: fewer attributes and classes, and one object in the place of all below it", () => {
  const less = fc
    .record({ base, attributes: fc.uniqueArray(attribute, { minLength: 1 }) })
    .chain((wide) => fc.tuple(fc.constant(wide), fc.shuffledSubarray(wide.attributes, { minLength: 1 })));
  const search = (over: object) => ({ op: "ad.search", scope: "subtree", ...over }) as Judged;
  fc.assert(
    fc.property(rulesOfDirectory, less, (list, [wide, fewer]) => {
      const all = search({ ...wide, classes: ["user", "group"] });
      const one = search({ ...wide, classes: ["user"], attributes: fewer, scope: "base" });
      return !isAllowed("corp", list, all) || isAllowed("corp", list, one);
    }),
    RUNS,
  );
});

test("the worlds are not empty: each says yes and no often enough to prove anything", () => {
  const seen = new Map<string, number>();
  for (const { name, lists, asked } of WORLDS) {
    fc.assert(
      fc.property(lists as fc.Arbitrary<Rules>, asked, (list, wanted) => {
        const word = `${name} ${verdict(decideBy(name, list, wanted)).slice(0, 5)}`;
        seen.set(word, (seen.get(word) ?? 0) + 1);
      }),
      { numRuns: 3000, seed: 7 },
    );
  }
  for (const word of ["erp allow", "erp deny ", "corp allow", "corp deny "]) {
    if ((seen.get(word) ?? 0) < 100) throw new Error(`only ${seen.get(word)} times ${word}`);
  }
});
