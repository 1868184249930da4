import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS, operation as operationSchema } from "@sallyport/shared/schema/operations.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import fc from "fast-check";
import { type Decision, decide, type PolicyRequest } from "./decide.ts";
import { parsePolicy } from "./file.ts";

const NOW = new Date("2026-11-20T12:00:00Z");

const POLICY = parsePolicy(
  `
v: 1
limits: { rows: 40000000, sessionsPerMinute: 30 }
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc_sallyport, Svc_Two]
    limits: { rows: 1000000, bytes: 2GiB, seconds: 600 }
    rules:
      - { id: orders, allow: [table, changes], tables: [dbo.Orders, "archive.Orders_*", dbo.OrdersView], columns: "*" }
      - { id: customers, allow: [table], tables: [dbo.Customers], columns: [CustomerId, Country, "Straße"] }
      - { id: customers-2, allow: [table], tables: [dbo.Customers], columns: [CustomerId, Segment], limits: { rows: 5 } }
      - { id: only-schema, allow: [schema], tables: [dbo.Described] }
      - { id: everything-in-s, allow: [table], tables: ["s.*"] }
      - { id: middle, allow: [table], tables: ["m.a*b*c"] }
      - { id: ended, allow: [table], tables: [dbo.Ended], until: 2026-11-19 }
      - { id: ends-today, allow: [table], tables: [dbo.EndsToday], until: 2026-11-20 }
      - { id: for-one, allow: [table], tables: [dbo.ForOne], callers: ["key:sp_erp", "pull:orders"] }
      - id: open-invoices
        allow: [statement]
        name: openInvoices
        sql: SELECT InvoiceId, Amount FROM dbo.Invoices WHERE Due < @before AND Country = @country
        parameters: { before: date, country: { type: nchar(2), in: [NO, SE] }, level: { type: int, in: [1, 2, null] } }
        returns: [InvoiceId, Amount]
      - { id: plain, allow: [statement], name: plain, sql: SELECT 1 AS One, returns: [One], until: 2026-11-20 }
      - { id: never-secret, deny: all, tables: ["s.Secret*", archive.Orders_2020] }
      - { id: never-hr, deny: all, tables: ["hr.*"] }
      - { id: hr-anyway, allow: [table], tables: [hr.People, "hr.*"] }
  night:
    kind: mssql
    address: "[::1]:1433"
    database: N
    tls: { mode: trustAnyCertificate }
    logins: [svc_sallyport]
    signIn: [sql, windowsNtlm]
    hours: { allow: ["22:00-06:00", "13:00-13:30"], timezone: Europe/Oslo }
    rules:
      - { id: all, allow: [table], tables: ["dbo.*"] }
      - { id: raw, allow: [raw], until: 2026-12-20 }
      - { id: late, allow: [table], tables: [x.Late], until: 2026-11-20 }
  zoned:
    kind: mssql
    address: 10.0.0.5:1433
    database: N
    tls: { mode: strict, ca: /etc/sallyport/corp.pem }
    logins: [svc_sallyport]
    hours: { timezone: Pacific/Auckland }
    rules:
      - { id: until, allow: [table], tables: [dbo.T], until: 2026-11-20 }
`,
  NOW,
);

type Wish = Partial<Omit<PolicyRequest, "operation" | "limits">> & {
  readonly table?: string;
  readonly columns?: "*" | readonly string[];
  readonly statement?: string;
  readonly raw?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean | null>>;
  readonly at?: string;
};

function ask(wish: Wish, policy: Policy = POLICY): Decision {
  const operation =
    wish.table === undefined
      ? { op: "sql.query", statement: wish.statement, raw: wish.raw, parameters: wish.parameters ?? {} }
      : { op: "sql.table", table: wish.table, columns: wish.columns ?? ["Id"], watermark: "none" };
  const request = {
    connection: wish.connection ?? "erp",
    operation: operation as PolicyRequest["operation"],
    limits: DEFAULT_LIMITS,
    user: wish.user ?? "svc_sallyport",
    signIn: wish.signIn ?? "sql",
    caller: wish.caller ?? "key:sp_any",
  };
  return decide(policy, request, wish.at === undefined ? NOW : new Date(wish.at));
}

/** `allow ID`, `deny CODE` or `deny CODE by ID`. */
function verdict(decision: Decision): string {
  if ("allow" in decision) return `allow ${decision.allow.rule}`;
  return `deny ${decision.deny.code}${decision.deny.rule === undefined ? "" : ` by ${decision.deny.rule}`}`;
}

const invoices = { before: "2026-01-01", country: "NO", level: 1 };
const no = "deny policy.denied";

const DECISIONS: readonly (readonly [expected: string, wish: Wish])[] = [
  // The connection: its name, its login, its sign-in.
  ["deny connection.unknown", { connection: "crm", table: "dbo.Orders" }],
  ["deny connection.unknown", { connection: "ERP", table: "dbo.Orders" }],
  ["deny connection.unknown", { connection: "__proto__", table: "dbo.Orders" }],
  ["allow orders", { table: "dbo.Orders", user: "Svc_Two" }],
  [no, { table: "dbo.Orders", user: "svc_two" }],
  [no, { table: "dbo.Orders", user: "sa" }],
  [no, { table: "dbo.Orders", user: "" }],
  [no, { table: "dbo.Orders", signIn: "windowsNtlm" }],
  ["allow all", { connection: "night", table: "dbo.T", signIn: "windowsNtlm", at: "2026-11-20T23:00:00Z" }],
  [no, { connection: "night", table: "dbo.T", signIn: "kerberos", at: "2026-11-20T23:00:00Z" }],
  // Tables by name: without regard to case, by code point, nothing else.
  ["allow orders", { table: "dbo.Orders" }],
  ["allow orders", { table: "DBO.ORDERS" }],
  [no, { table: "dbo.Order" }],
  [no, { table: "dbo.Orders2" }],
  [no, { table: "dbo.Orders " }],
  [no, { table: "other.Orders" }],
  [no, { table: "dbo.Örders" }],
  [no, { table: "dbo.Ｏrders" }],
  [no, { table: "dbo.Unknown" }],
  // Patterns.
  ["allow orders", { table: "archive.Orders_2019" }],
  ["allow orders", { table: "archive.Orders_" }],
  ["allow orders", { table: "Archive.orders_x" }],
  [no, { table: "archive.Order_2019" }],
  [no, { table: "archive.XOrders_2019" }],
  ["allow everything-in-s", { table: "s.Anything" }],
  [no, { table: "ss.Anything" }],
  ["allow middle", { table: "m.abc" }],
  ["allow middle", { table: "m.aXXbYYc" }],
  ["allow middle", { table: "m.abbc" }],
  [no, { table: "m.ab" }],
  [no, { table: "m.acb" }],
  [no, { table: "m.abcd" }],
  // System schemas, and names of three parts.
  [no, { table: "sys.objects" }],
  [no, { table: "SYS.objects" }],
  [no, { table: "INFORMATION_SCHEMA.TABLES" }],
  [no, { table: "information_schema.tables" }],
  [no, { table: "other.dbo.Orders" }],
  [no, { table: "Orders" }],
  [no, { table: "dbo." }],
  // Columns: one rule must allow the whole request.
  ["allow orders", { table: "dbo.Orders", columns: "*" }],
  ["allow orders", { table: "dbo.Orders", columns: ["a", "b"] }],
  ["allow customers", { table: "dbo.Customers", columns: ["CustomerId"] }],
  ["allow customers", { table: "dbo.Customers", columns: ["COUNTRY", "customerid"] }],
  ["allow customers-2", { table: "dbo.Customers", columns: ["Segment", "CustomerId"] }],
  [no, { table: "dbo.Customers", columns: ["Segment", "Country"] }],
  [no, { table: "dbo.Customers", columns: "*" }],
  [no, { table: "dbo.Customers", columns: ["Email"] }],
  ["allow customers", { table: "dbo.Customers", columns: ["STRAßE"] }],
  [no, { table: "dbo.Customers", columns: ["STRASSE"] }],
  [no, { table: "dbo.Described" }],
  // Denials beat everything.
  ["deny policy.denied by never-secret", { table: "s.Secret" }],
  ["deny policy.denied by never-secret", { table: "S.SECRETS" }],
  ["deny policy.denied by never-secret", { table: "archive.Orders_2020" }],
  ["deny policy.denied by never-hr", { table: "hr.People" }],
  ["deny policy.denied by never-hr", { table: "HR.other" }],
  // Time: `until` is the end of that day, in the connection's own time zone.
  [no, { table: "dbo.Ended" }],
  ["allow ended", { table: "dbo.Ended", at: "2026-11-19T23:59:59Z" }],
  ["allow ends-today", { table: "dbo.EndsToday" }],
  ["allow ends-today", { table: "dbo.EndsToday", at: "2026-11-20T23:59:59Z" }],
  [no, { table: "dbo.EndsToday", at: "2026-11-21T00:00:00Z" }],
  ["allow until", { connection: "zoned", table: "dbo.T", at: "2026-11-20T10:59:59Z" }],
  [no, { connection: "zoned", table: "dbo.T", at: "2026-11-20T11:00:00Z" }],
  // Hours: the start belongs to the range, the end does not; Oslo is UTC+1 in November.
  [no, { connection: "night", table: "dbo.T", at: "2026-11-20T20:59:59Z" }],
  ["allow all", { connection: "night", table: "dbo.T", at: "2026-11-20T21:00:00Z" }],
  ["allow all", { connection: "night", table: "dbo.T", at: "2026-11-21T04:59:59Z" }],
  [no, { connection: "night", table: "dbo.T", at: "2026-11-21T05:00:00Z" }],
  ["allow all", { connection: "night", table: "dbo.T", at: "2026-11-20T12:00:00Z" }],
  [no, { connection: "night", table: "dbo.T", at: "2026-11-20T12:30:00Z" }],
  ["allow late", { connection: "night", table: "x.Late", at: "2026-11-20T22:59:59Z" }],
  [no, { connection: "night", table: "x.Late", at: "2026-11-20T23:00:00Z" }],
  // Callers only narrow.
  ["allow for-one", { table: "dbo.ForOne", caller: "key:sp_erp" }],
  ["allow for-one", { table: "dbo.ForOne", caller: "pull:orders" }],
  [no, { table: "dbo.ForOne", caller: "key:sp_ERP" }],
  [no, { table: "dbo.ForOne", caller: "pull:other" }],
  // Statements.
  ["allow open-invoices", { statement: "openInvoices", parameters: invoices }],
  ["allow open-invoices", { statement: "openInvoices", parameters: { ...invoices, level: "2", country: "SE" } }],
  ["allow open-invoices", { statement: "openInvoices", parameters: { ...invoices, level: null } }],
  ["deny policy.denied by open-invoices", { statement: "openInvoices", parameters: { ...invoices, country: "DK" } }],
  ["deny policy.denied by open-invoices", { statement: "openInvoices", parameters: { ...invoices, country: "no" } }],
  ["deny policy.denied by open-invoices", { statement: "openInvoices", parameters: { ...invoices, country: null } }],
  ["deny request.invalid", { statement: "openInvoices", parameters: { before: "2026-01-01" } }],
  ["deny request.invalid", { statement: "openInvoices", parameters: { ...invoices, other: 1 } }],
  ["deny request.invalid", { statement: "plain", parameters: { any: 1 } }],
  ["allow plain", { statement: "plain" }],
  [no, { statement: "Plain" }],
  [no, { statement: "orders" }],
  [no, { statement: "plain", at: "2026-11-21T00:00:00Z" }],
  // Raw SQL: only by its own rule, and only for 30 days ahead.
  [no, { raw: "SELECT 1" }],
  ["allow raw", { connection: "night", raw: "SELECT 1", at: "2026-11-20T23:30:00Z" }],
  [no, { connection: "night", raw: "SELECT 1", at: "2026-11-19T22:30:00Z" }],
  [no, { connection: "night", raw: "SELECT 1", at: "2026-12-20T23:30:00Z" }],
  [no, { connection: "night", statement: "raw", at: "2026-11-20T23:30:00Z" }],
];

test("decisions", async (t) => {
  assert.ok(DECISIONS.length >= 60);
  for (const [expected, wish] of DECISIONS) {
    await t.test(`${expected}: ${JSON.stringify(wish)}`, () => assert.equal(verdict(ask(wish)), expected));
  }
});

test("an allowed request says what the owner's rule leaves of it", () => {
  const decision = ask({ table: "dbo.Customers", columns: ["segment"] });
  assert.ok("allow" in decision);
  assert.deepEqual(decision.allow.grant, {
    kind: "table",
    rule: "customers-2",
    columns: ["CustomerId", "Segment"],
    named: true,
  });
  assert.deepEqual(decision.allow.target, {
    host: "sql01.corp.example",
    port: 1433,
    database: "ERP",
    tls: { mode: "required" },
    refuseOverPrivileged: true,
  });
  assert.equal(decision.allow.object, "dbo.Customers");
});

test("a pattern is told apart from a name, so that it never covers a view", () => {
  const byPattern = ask({ table: "archive.Orders_1" });
  const byName = ask({ table: "dbo.ordersview" });
  assert.ok("allow" in byPattern && byPattern.allow.grant.kind === "table");
  assert.ok("allow" in byName && byName.allow.grant.kind === "table");
  assert.equal(byPattern.allow.grant.named, false);
  assert.equal(byName.allow.grant.named, true);
});

test("the smallest limit counts: file, connection, rule, request", () => {
  const first = ask({ table: "dbo.Orders" });
  assert.ok("allow" in first);
  assert.deepEqual(first.allow.limits, { ...DEFAULT_LIMITS, rows: 1_000_000, bytes: 2 * 2 ** 30, seconds: 600 });
  const narrow = ask({ table: "dbo.Customers", columns: ["Segment"] });
  assert.ok("allow" in narrow);
  assert.equal(narrow.allow.limits.rows, 5);
  const own = decide(
    POLICY,
    {
      connection: "erp",
      operation: operationSchema.parse({
        op: "sql.table",
        table: "dbo.Orders",
        columns: "*",
        watermark: "none",
      }) as PolicyRequest["operation"],
      limits: { ...DEFAULT_LIMITS, rows: 3, cellBytes: 9 },
      user: "svc_sallyport",
      signIn: "sql",
      caller: "key:k",
    },
    NOW,
  );
  assert.ok("allow" in own);
  assert.equal(own.allow.limits.rows, 3);
  assert.equal(own.allow.limits.cellBytes, 9);
});

// Properties over random rules and requests from a small world, so that they meet often.
const schemaName = fc.constantFrom("a", "A", "b", "hr");
const lastName = fc.constantFrom("T", "t", "Tab", "x", "Other");
const table = fc.tuple(schemaName, lastName).map(([schema, name]) => `${schema}.${name}`);
const pattern = fc
  .tuple(schemaName, fc.constantFrom("*", "T*", "*b", "t", "Tab", "x"))
  .map(([schema, name]) => `${schema}.${name}`);
const column = fc.constantFrom("C1", "c1", "C2", "C3");
const columns = fc.oneof(fc.constant("*" as const), fc.uniqueArray(column, { minLength: 1 }));
const tables = fc.array(pattern, { minLength: 1, maxLength: 3 });
const allowRule = fc.record({ allow: fc.constant(["table"]), tables, columns });
const denyRule = fc.record({ deny: fc.constant("all"), tables });
const rules = fc.array(fc.oneof(allowRule, allowRule, denyRule), { maxLength: 6 });

const policyOf = (list: readonly object[]): Policy =>
  ({
    ...POLICY,
    connections: { erp: { ...POLICY.connections.erp, rules: list.map((rule, at) => ({ id: `r${at}`, ...rule })) } },
  }) as unknown as Policy;
const isAllowed = (list: readonly object[], wish: Wish): boolean => "allow" in ask(wish, policyOf(list));

test("a further deny rule never allows more", () => {
  fc.assert(
    fc.property(rules, denyRule, fc.nat(6), table, columns, (list, deny, at, wanted, cols) => {
      const more = [...list.slice(0, at), deny, ...list.slice(at)];
      return !isAllowed(more, { table: wanted, columns: cols }) || isAllowed(list, { table: wanted, columns: cols });
    }),
  );
});

test("a further allow rule never denies more", () => {
  fc.assert(
    fc.property(rules, allowRule, table, columns, (list, allow, wanted, cols) => {
      const wish = { table: wanted, columns: cols };
      return !isAllowed(list, wish) || isAllowed([...list, allow], wish);
    }),
  );
});

test("the order of rules never changes the answer", () => {
  const shuffled = rules.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, table, columns, ([list, other], wanted, cols) => {
      const wish = { table: wanted, columns: cols };
      return isAllowed(list, wish) === isAllowed(other, wish);
    }),
  );
});

test("asking for fewer columns never turns yes into no", () => {
  const narrowed = columns.chain((wide) =>
    fc.tuple(
      fc.constant(wide),
      wide === "*" ? fc.uniqueArray(column, { minLength: 1 }) : fc.shuffledSubarray(wide, { minLength: 1 }),
    ),
  );
  fc.assert(
    fc.property(rules, table, narrowed, (list, wanted, [wide, narrow]) => {
      return !isAllowed(list, { table: wanted, columns: wide }) || isAllowed(list, { table: wanted, columns: narrow });
    }),
  );
});
