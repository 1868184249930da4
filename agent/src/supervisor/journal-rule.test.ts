/**
 * The rule for every string in the journal (docs/journal.md), held against whatever is asked for: requests of every
 * operation with random marks in all that they carry go through the executor's judgement and the supervisor's session.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS, operation as operationSchema } from "@sallyport/shared/schema/operations.ts";
import fc from "fast-check";
import { judge } from "../executor/judge.ts";
import { encodeLine, type JournalFacts, type JournalLine } from "../journal/line.ts";
import { parsePolicy } from "../policy/file.ts";
import { begin, END, KEY, lines, OFFER } from "./test-session.ts";

const POLICY = `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: orders, allow: [table, changes, schema], tables: [dbo.Orders, "archive.Orders_*"], columns: "*" }
      - { id: invoices, allow: [statement], name: openInvoices, sql: "SELECT @a AS A", parameters: { a: nvarchar(100) }, returns: [A] }
      - { id: status, allow: [insert, update], tables: [dbo.Status], columns: [Id, Name], key: [Id] }
      - { id: close, allow: [call], procedure: dbo.Close, parameters: { reason: nvarchar(100) }, returns: [], effect: write }
      - { id: never, deny: all, tables: ["hr.*"] }
  corp:
    kind: activeDirectory
    address: dc1.corp.example:636
    tls: { mode: required }
    logins: [svc@corp.example]
    rules:
      - { id: staff, allow: [search, changes, schema], bases: ["OU=Staff,DC=corp,DC=example"], classes: [user], attributes: [mail] }
`;
const NOW = new Date("2026-11-22T12:00:00Z");
const policy = parsePolicy(POLICY, NOW);
const LOGIN_KEY = Buffer.from("k".repeat(43), "base64url");

/** Found nowhere but where a test put it. */
const mark = fc.stringMatching(/^[a-z]{10}$/).map((letters) => `Mark${letters}`);
const value = fc.oneof(
  mark,
  mark.map((each) => `${each}' OR 1=1 --`),
  fc.constant(null),
);
const table = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("dbo.Orders", "archive.Orders_2025", "hr.Salaries", "dbo.Status") },
  mark.map((each) => `dbo.${each}`),
  mark.map((each) => `${each}.Orders`),
);
const columns = fc.oneof(
  { weight: 2, arbitrary: fc.constant("*") },
  fc.array(fc.oneof(fc.constant("Id"), mark), { minLength: 1, maxLength: 3 }),
);
const dn = fc.oneof(
  fc
    .tuple(mark, fc.constantFrom("OU=Staff,DC=corp,DC=example", "OU=Other,DC=corp,DC=example"))
    .map(([who, at]) => `CN=${who},${at}`),
  fc.constant("OU=Staff,DC=corp,DC=example"),
  mark,
);
const filter = mark.map((each) => [{ column: "Id", is: "equal", value: each }]);
const operations = fc.oneof(
  fc.record({
    op: fc.constant("sql.table"),
    table,
    columns,
    watermark: fc.constantFrom("none", "rowversion"),
    from: mark,
    position: mark,
  }),
  fc.record({ op: fc.constant("sql.table"), table, columns, watermark: fc.constant("none"), filter }),
  fc.record({
    op: fc.constant("sql.changes"),
    table,
    columns,
    by: fc.constantFrom("cdc", "changeTracking"),
    captureInstance: mark,
  }),
  fc.record({ op: fc.constant("sql.schema"), table }),
  fc.record({
    op: fc.constant("sql.query"),
    statement: fc.oneof(fc.constant("openInvoices"), mark),
    parameters: fc.record({ a: value }),
  }),
  fc.record({ op: fc.constant("sql.query"), raw: mark.map((each) => `SELECT * FROM ${each}`) }),
  fc.record({
    op: fc.constant("sql.write"),
    table,
    action: fc.constantFrom("insert", "update", "delete"),
    columns: fc.constant(["Id", "Name"]),
    idempotencyKey: fc.option(mark, { nil: undefined, freq: 1 }),
  }),
  fc.record({
    op: fc.constant("sql.call"),
    procedure: fc.oneof(fc.constant("dbo.Close"), table),
    parameters: fc.record({ reason: value }),
    idempotencyKey: fc.option(mark, { nil: undefined, freq: 1 }),
  }),
  fc.record({
    op: fc.constant("ad.search"),
    base: dn,
    classes: fc.constant(["user"]),
    attributes: fc.constantFrom("*", ["mail"]),
  }),
  fc.record({
    op: fc.constant("ad.changes"),
    base: dn,
    classes: fc.constant(["user"]),
    attributes: fc.constant(["mail"]),
  }),
  fc.record({ op: fc.constant("ad.schema"), class: fc.constantFrom("user", "group") }),
  fc.record({
    op: fc.constant("ad.write"),
    action: fc.constant("setPassword"),
    object: dn,
    class: fc.constant("user"),
    password: mark,
  }),
  fc.record({
    op: fc.constant("ad.write"),
    action: fc.constant("move"),
    object: dn,
    class: fc.constant("user"),
    destination: dn,
  }),
  fc.record({
    op: fc.constant("ad.write"),
    action: fc.constant("members"),
    object: dn,
    class: fc.constant("group"),
    add: fc.array(dn, { minLength: 1 }),
  }),
  fc.record({
    op: fc.constant("ad.write"),
    action: fc.constant("add"),
    object: dn,
    class: fc.constant("user"),
    attributes: fc.record({ mail: fc.tuple(mark) }),
  }),
  fc.record({
    op: fc.constant("ad.write"),
    action: fc.constant("modify"),
    object: dn,
    class: fc.constant("user"),
    changes: fc.tuple(fc.record({ attribute: fc.constant("mail"), do: fc.constant("set"), values: fc.tuple(mark) })),
  }),
  fc.record({
    op: fc.constant("ad.write"),
    action: fc.constant("rename"),
    object: dn,
    class: fc.constant("user"),
    name: mark.map((each) => `CN=${each}`),
  }),
  fc.record({ op: fc.constant("ad.write"), action: fc.constant("delete"), object: dn, class: fc.constant("user") }),
);
const KINDS = [
  ...[
    "sql.table",
    "sql.table filter",
    "sql.changes",
    "sql.schema",
    "sql.query",
    "sql.query raw",
    "sql.write",
    "sql.call",
  ],
  ...["ad.search", "ad.changes", "ad.schema"],
  ...["add", "modify", "members", "rename", "move", "delete", "setPassword"].map((action) => `ad.write ${action}`),
];
const requests = fc.record({
  operation: operations,
  id: fc.stringMatching(/^[0-9a-f]{32}$/),
  connection: fc.constantFrom("erp", "erp", "erp", "corp", "crm"),
  user: fc.oneof({ weight: 4, arbitrary: fc.constant("svc") }, fc.constant("svc@corp.example"), mark),
  password: mark,
  caller: fc.constantFrom("pull:orders", "key:sp_erp", "app:6f9619ff-8b86-d011-b42d-00c04fc964ff"),
  end: fc.constantFrom<"ok" | "failed" | "silent">("ok", "failed", "silent"),
});
type Asked = typeof requests extends fc.Arbitrary<infer T> ? T : never;

/** Which of the operations above it is: one that no schema takes would prove nothing. */
const kindOf = (operation: object): string => {
  const { op, action } = operation as { readonly op: string; readonly action?: string };
  return [op, ...(op === "ad.write" ? [action] : []), ...["filter", "raw"].filter((each) => each in operation)].join(
    " ",
  );
};

/** The request as a session brings it; undefined where its schema already refuses it. */
function payloadOf({ operation, id, connection, user, password, caller }: Asked): SessionRequestPayload | undefined {
  const parsed = operationSchema.safeParse(JSON.parse(JSON.stringify(operation)));
  if (!parsed.success) return undefined;
  return {
    ...{ v: 1, id, hello: "h".repeat(43), agent: "a".repeat(32), site: "oslo", tenant: "contoso" },
    ...{ connection, caller, iat: 0, operation: parsed.data, limits: DEFAULT_LIMITS, window: 4 << 20 },
    credential: { form: "plain", user, password, signIn: "sql" },
  };
}

/** The journal's lines of one session that asks for this. */
async function linesOf(payload: SessionRequestPayload, how: Asked["end"]): Promise<readonly JournalFacts[]> {
  lines.length = 0;
  const { session, say, exit } = begin(OFFER, POLICY);
  say(KEY);
  try {
    say(judge(payload, policy, false, LOGIN_KEY, NOW).report);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
  }
  if (how === "ok") say({ say: "accepted" });
  if (how !== "silent") say(how === "ok" ? END : { ...END, code: "connection.login_failed", source: "18456/8" });
  exit(how === "silent" ? 70 : 0);
  await session.ended;
  return [...lines];
}

const CLOSED: Readonly<Record<string, (text: string) => boolean>> = {
  event: (text) => ["request", "end", "login", "session"].includes(text),
  op: (text) => /^(sql|ad)\.(table|changes|query|schema|write|call|search)$/.test(text),
  action: (text) =>
    [
      "insert",
      "update",
      "upsert",
      "delete",
      "replace",
      "add",
      "modify",
      "members",
      "rename",
      "move",
      "setPassword",
    ].includes(text),
  decision: (text) => text === "allow" || text === "deny",
  effect: (text) => text === "read" || text === "write",
  code: (text) => Object.hasOwn(ERRORS, text),
  policy: (text) => /^[A-Za-z0-9_-]{43}$/.test(text),
  request: (text) => /^[0-9a-f]{32}$/.test(text),
  connection: (text) => /^[a-z0-9-]{1,40}$/.test(text),
  caller: (text) => /^(pull|key|app):[A-Za-z0-9_-]{1,80}$/.test(text),
  source: (text) => /^[0-9]{1,6}(\/[0-9a-f]{1,8})?$/.test(text),
  login: (text) => text === "svc" || text === "svc@corp.example" || /^login:[A-Za-z0-9_-]{8}$/.test(text),
  rule: (text) => ["orders", "invoices", "status", "close", "never", "staff"].includes(text),
};
const OF_THE_POLICY = /^(dbo\.Orders|archive\.Orders_[^.]*|openInvoices|dbo\.Status|dbo\.Close)$/i;
const IDENTIFIER = /^[^.[\]"'\p{Cc}]{1,128}(\.[^.[\]"'\p{Cc}]{1,128})?$/u;
const NOBODY = /^(?:(?:OU|DC)=[^,]+|[A-Z]+=\*)(?:,(?:(?:OU|DC)=[^,]+|[A-Z]+=\*))*$/;

function faultOf(name: string, content: unknown, { op, decision }: JournalFacts): string | undefined {
  const texts = (Array.isArray(content) ? content : [content]).filter((each) => typeof each === "string");
  const isIn =
    name === "object"
      ? (text: string) =>
          op?.startsWith("ad.") === true
            ? NOBODY.test(text)
            : OF_THE_POLICY.test(text) || (decision === "deny" && IDENTIFIER.test(text))
      : name === "asked"
        ? (text: string) => decision === "deny" && text.length <= 128
        : CLOSED[name];
  const stray = texts.find((text) => isIn?.(text) !== true);
  return stray === undefined ? undefined : `${name}: ${stray}`;
}

/** Where a mark may be: in a denial, as an identifier that was asked for. */
const withoutIdentifiers = ({ object: _object, asked: _asked, ...rest }: JournalFacts): object => rest;

const ofErp = { connection: "erp", user: "svc", password: "Markpassword", caller: "pull:orders", end: "ok" } as const;
const ALLOWED: readonly Asked[] = [
  {
    op: "sql.table",
    table: "dbo.Orders",
    columns: ["Markcolumn"],
    watermark: "none",
    from: "Markfrom",
    position: "Markat",
  },
  { op: "sql.changes", table: "dbo.Orders", columns: "*", by: "cdc", captureInstance: "Markinstance" },
  { op: "sql.schema", table: "dbo.Orders" },
  { op: "sql.query", statement: "openInvoices", parameters: { a: "Markvalue" } },
  { op: "sql.write", table: "dbo.Status", action: "update", columns: ["Id", "Name"] },
  { op: "sql.call", procedure: "dbo.Close", parameters: { reason: "Markreason" } },
].map((operation, index) => ({ ...ofErp, operation, id: String(index).repeat(32) }) as Asked);

test("whatever is asked for, no string comes into the journal but by the rule", async () => {
  const seen = new Set<string>();
  const [made, taken] = [new Set<string>(), new Set<string>()];
  await fc.assert(
    fc.asyncProperty(requests, async (asked) => {
      const payload = payloadOf(asked);
      made.add(kindOf(asked.operation));
      if (payload === undefined) return;
      taken.add(kindOf(asked.operation));
      const written = await linesOf(payload, asked.end);
      assert.ok(written.length >= 1);
      for (const facts of written) {
        for (const [name, content] of Object.entries(facts)) assert.equal(faultOf(name, content, facts), undefined);
        const line: JournalLine = { seq: 1, at: NOW.toISOString(), ...facts };
        assert.ok(encodeLine(line).byteLength <= 4096);
        const shown = JSON.stringify(facts.decision === "deny" ? withoutIdentifiers(facts) : facts);
        assert.doesNotMatch(shown.replace(/archive\.Orders_\w*/g, ""), /Mark/);
        if (facts.op?.startsWith("ad.")) assert.doesNotMatch(JSON.stringify(facts.object ?? ""), /Mark/);
        seen.add(`${facts.op ?? facts.event} ${facts.decision ?? ""}`);
      }
    }),
    { numRuns: 500 },
  );
  assert.deepEqual([...made].sort(), [...KINDS].sort());
  assert.deepEqual([...taken].sort(), [...KINDS].sort());
  // Chance may leave one of them out.
  for (const asked of ALLOWED) {
    const written = await linesOf(payloadOf(asked)!, "ok");
    for (const facts of written) {
      assert.equal(facts.decision ?? "allow", "allow");
      for (const [name, content] of Object.entries(facts)) assert.equal(faultOf(name, content, facts), undefined);
      assert.doesNotMatch(JSON.stringify(facts), /Mark/);
      seen.add(`${facts.op ?? facts.event} ${facts.decision ?? ""}`);
    }
  }
  for (const op of ["sql.table", "sql.changes", "sql.query", "sql.schema", "sql.write", "sql.call"]) {
    assert.ok(seen.has(`${op} allow`) && seen.has(`${op} deny`), `${op}: ${[...seen]}`);
  }
  for (const op of ["ad.search", "ad.changes", "ad.schema", "ad.write"]) assert.ok(seen.has(`${op} deny`), op);
});

test("counter-example: a value, a person, a password or a host in any field is seen", () => {
  const allowed: JournalFacts = { event: "request", decision: "allow", op: "sql.table" };
  for (const [name, text, facts] of [
    ["object", "dbo.MarkedTable", allowed],
    ["object", "CN=Jane Doe,OU=Staff", { ...allowed, op: "ad.search", decision: "deny" }],
    ["asked", "Salary", allowed],
    ["login", "sa", allowed],
    ["source", "Login failed for user sa", allowed],
    ["caller", "Jane Doe", allowed],
    ["host", "sql01", allowed],
    ["rule", "invented", allowed],
  ] as const) {
    assert.equal(faultOf(name, text, facts), `${name}: ${text}`);
  }
});
