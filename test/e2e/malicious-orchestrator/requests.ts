/** What a thief of the orchestrator's key may ask for: requests that are signed and sealed as they should be. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { seal as sealTo } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { jsonBody } from "@sallyport/shared/protocol/frames.ts";
import { encodeRecord, KIND } from "@sallyport/shared/protocol/records.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { dial, pingRequest, type Sender } from "../agent/sender.ts";
import type { Attack } from "../malicious-relay/attack.ts";
import { GUESSED } from "../malicious-relay/policy.ts";
import { PASSWORD, type World } from "../malicious-relay/world.ts";

export const ORDERS = { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" } as const;
export const LOGIN = { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" } as const;

/** A request as a thief writes it: any fields, of any shape. */
export type Wanted = Readonly<Record<string, unknown>>;

export async function open(world: World): Promise<Sender> {
  for (;;) {
    const seq = world.site.journal().length;
    const dialled = await dial(world.site);
    if (dialled.ok) return dialled.sender;
    // A session before this one has not given its place back.
    assert.equal(dialled.reason, "agent.busy");
    await world.site.journaled(({ seq: at, event }) => Number(at) > seq && (event === "end" || event === "session"));
  }
}

/** Seals any text to the session's key, as `sealRequest` does a request. */
async function seal({ hello, socket }: Sender, jws: string): Promise<void> {
  const info = Buffer.concat([utf8("sallyport/1 request\0"), hello.hash]);
  const key = fromBase64url(hello.hello.key)!;
  const { enc, ciphertext } = await sealTo(key, info, Uint8Array.of(KIND.request), utf8(jws));
  socket.send(encodeRecord(KIND.request, Buffer.concat([enc, ciphertext])));
}

/** Asks, and answers the code of the sealed refusal. */
export async function refusalOf(world: World, wanted: Wanted): Promise<{ code: string; id: string }> {
  const sender = await open(world);
  const id = randomBytes(16).toString("hex");
  await sender.request({ id, connection: "erp", operation: ORDERS, credential: LOGIN, ...wanted } as never);
  const messages = await sender.messages();
  const last = messages.at(-1);
  assert.equal(last?.kind, "error", "it was served");
  assert.ok(!messages.some(({ kind }) => kind === "batch" || kind === "schema"), "rows were sent before the refusal");
  return { code: last.body.code, id };
}

export interface Denied {
  readonly rule: Attack["rule"];
  readonly asks: string;
  readonly wanted: Wanted;
  readonly code: string;
  /** Whether SQL Server may hear of it at all. */
  readonly contacts?: true;
  /** What cannot stand in a journal has a line without its id. */
  readonly unnamed?: true;
}

const operation = (over: Wanted): Wanted => ({ operation: { ...ORDERS, ...over } });
const query = (over: Wanted): Wanted => ({ operation: { op: "sql.query", ...over } });

const DENIED: readonly Denied[] = [
  { rule: "P4.14", asks: "a connection of its own", wanted: { connection: "payroll" }, code: "connection.unknown" },
  { rule: "P4.14", asks: "a name of Object's own", wanted: { connection: "constructor" }, code: "connection.unknown" },
  {
    rule: "P4.14",
    asks: "an address inside the operation",
    wanted: operation({ address: "attacker.example:1433" }),
    code: "request.invalid",
    unnamed: true,
  },
  {
    rule: "P4.14",
    asks: "a connection that is an address",
    wanted: { connection: "attacker.example:1433" },
    code: "request.invalid",
    unnamed: true,
  },
  { rule: "P4.14", asks: "another login", wanted: { credential: { ...LOGIN, user: "sa" } }, code: "policy.denied" },
  {
    rule: "P4.14",
    asks: "another way to sign in",
    wanted: { credential: { ...LOGIN, signIn: "windows" } },
    code: "request.invalid",
    unnamed: true,
  },
  { rule: "P4.14", asks: "raw SQL", wanted: query({ raw: "SELECT * FROM sys.sql_logins" }), code: "policy.denied" },
  { rule: "P4.14", asks: "a table of no rule", wanted: operation({ table: "hr.Salaries" }), code: "policy.denied" },
  { rule: "P4.14", asks: "a system's table", wanted: operation({ table: "sys.sql_logins" }), code: "policy.denied" },
  {
    rule: "P4.14",
    asks: "a statement in a table's name",
    wanted: operation({ table: "dbo.Orders; DROP TABLE Orders" }),
    code: "policy.denied",
  },
  {
    rule: "P4.14",
    asks: "a bracket in a table's name",
    wanted: operation({ table: "dbo.Orders] ; DROP TABLE dbo.Orders --" }),
    code: "request.invalid",
    unnamed: true,
  },
  {
    rule: "P4.14",
    asks: "a column that is an expression",
    wanted: operation({ columns: ["Id", "(SELECT password_hash FROM sys.sql_logins)"] }),
    code: "sql.not_found",
    contacts: true,
  },
  { rule: "P4.14", asks: "a statement of no rule", wanted: query({ statement: "dropAll" }), code: "policy.denied" },
  {
    rule: "P4.14",
    asks: "SQL in a statement's name",
    wanted: query({ statement: "byNote; DROP TABLE dbo.Orders" }),
    code: "request.invalid",
    unnamed: true,
  },
  {
    rule: "P4.14",
    asks: "a parameter that the statement has not",
    wanted: query({ statement: "byNote", parameters: { note: "x", more: "1" } }),
    code: "request.invalid",
  },
  {
    rule: "P4.14",
    asks: "an operation that there is not",
    wanted: { operation: { op: "os.shell", command: "id" } },
    code: "request.invalid",
    unnamed: true,
  },
  {
    rule: "P4.31",
    asks: "a window of a gibibyte",
    wanted: { window: 2 ** 30 },
    code: "request.invalid",
    unnamed: true,
  },
  {
    rule: "P4.31",
    asks: "more rows than its owner gives",
    wanted: { connection: "little", limits: { ...DEFAULT_LIMITS, rows: 1e9 } },
    code: "limit.rows",
    contacts: true,
  },
  {
    rule: "P4.9",
    asks: "in another tenant's name",
    wanted: { tenant: "fabrikam" },
    code: "request.refused",
    unnamed: true,
  },
];

export function denied({ rule, asks, wanted, code, contacts, unnamed }: Denied): Attack {
  return {
    rule,
    name: `asks for ${asks}: ${code}`,
    async run(world) {
      const before = world.tds.log.length;
      const lines = world.site.journal().length;
      if (contacts === true) {
        const sender = await open(world);
        await sender.request({ connection: "erp", operation: ORDERS, credential: LOGIN, ...wanted } as never);
        const last = (await sender.messages()).at(-1);
        assert.equal(last?.kind === "error" && last.body.code, code);
      } else {
        const refused = await refusalOf(world, wanted);
        assert.equal(refused.code, code);
        assert.equal(world.tds.log.length, before, "SQL Server was called");
        if (unnamed !== true) {
          const line = await world.site.journaled(
            ({ event, request }) => event === "request" && request === refused.id,
          );
          assert.deepEqual([line.decision, line.code], ["deny", code]);
        }
      }
      await world.site.journaled(
        ({ seq, event, code: found }) => Number(seq) > lines && event !== "request" && found === code,
      );
    },
  };
}

/** What a bound value could try; each is one text to the server, and no row has it. */
const INJECTIONS = [
  "'; DROP TABLE dbo.Orders; --",
  "x' OR 1=1 --",
  "0; EXEC xp_cmdshell 'id'",
  "'; WAITFOR DELAY '0:0:30' --",
  "\u02bc; DROP TABLE dbo.Orders; --",
  "x\u0000'; DROP TABLE dbo.Orders; --",
];

/** Requests that are not what they should be themselves: the session closes without an answer. */
const UNANSWERED: readonly [Attack["rule"], string, (world: World, sender: Sender) => Promise<void>, string][] = [
  [
    "P4.11",
    "by a key that is not pinned",
    async (_world, sender) => void (await sender.request({}, signerOf("ES256", await generateKeyPair("ES256")))),
    "request.refused",
  ],
  [
    "P1.1",
    "signed for another purpose",
    async ({ site }, sender) =>
      seal(sender, await signJws("keys", pingRequest(sender.hello), site.orchestrator.signer)),
    "request.refused",
  ],
  [
    "P1.2",
    "whose header brings its own key",
    async ({ site }, sender) => {
      const { signer } = site.orchestrator;
      const thief = await generateKeyPair("ES256");
      const header = { alg: "ES256", typ: "sallyport-request+jws", kid: signer.kid, jwk: thief.publicJwk };
      const input = [header, pingRequest(sender.hello)].map((part) => toBase64url(jsonBody(part))).join(".");
      const signature = await signerOf("ES256", thief).sign(Buffer.from(input));
      await seal(sender, `${input}.${toBase64url(signature)}`);
    },
    "request.refused",
  ],
  [
    "P1.3",
    "that is genuine, and no JSON",
    async ({ site }, sender) => seal(sender, await signJws("request", Buffer.from("{"), site.orchestrator.signer)),
    "request.refused",
  ],
  [
    "P1.3",
    "that is genuine, and null",
    async ({ site }, sender) => seal(sender, await signJws("request", Buffer.from("null"), site.orchestrator.signer)),
    "request.refused",
  ],
  [
    "P4.10",
    "for another agent",
    async (_world, sender) => void (await sender.request({ agent: "f".repeat(32) })),
    "request.refused",
  ],
  [
    "P4.10",
    "for another site",
    async (_world, sender) => void (await sender.request({ site: "bergen" })),
    "request.refused",
  ],
  [
    "P4.9",
    "for another hello",
    async (_world, sender) => void (await sender.request({ hello: "A".repeat(43) })),
    "request.refused",
  ],
  [
    "P8.1",
    "of version 2",
    async (_world, sender) => void (await sender.request({ v: 2 } as never)),
    "protocol.version",
  ],
  [
    "P4.13",
    "twice",
    async (_world, sender) => {
      await sender.request();
      await sender.request();
    },
    "protocol.order",
  ],
];

export const REQUEST_ATTACKS: readonly Attack[] = [
  ...DENIED.map(denied),
  ...UNANSWERED.map(
    ([rule, what, ask, code]): Attack => ({
      rule,
      name: `sends a request ${what}: the agent closes with 1002, and journals ${code}`,
      async run(world) {
        const lines = world.site.journal().length;
        const sender = await open(world);
        await ask(world, sender);
        assert.equal(await sender.closed, 1002);
        await world.site.journaled(({ seq, code: found }) => Number(seq) > lines && found === code);
      },
    }),
  ),
  {
    rule: "P4.14",
    name: `stacks statements in a parameter's value, ${INJECTIONS.length} ways: each is one value, and the table stands`,
    async run(world) {
      for (const note of INJECTIONS) {
        const sender = await open(world);
        await sender.request({
          ...{ connection: "erp", credential: LOGIN },
          operation: { op: "sql.query", statement: "byNote", parameters: { note } },
        });
        const last = (await sender.messages()).at(-1);
        if (last?.kind === "error") assert.equal(last.body.code, "request.invalid", note);
        else assert.equal(last?.kind === "end" && last.body.rows, 0, note);
      }
      const { rows } = await world.tds.sql("SELECT COUNT(*) FROM dbo.Orders");
      assert.ok(Number(Object.values(rows[0] ?? {})[0]) > 0);
      const run = world.tds.log.flatMap((entry) =>
        entry.kind === "batch" || entry.kind === "rpc" ? [entry.text] : [],
      );
      assert.deepEqual(
        run.filter((text) => /DROP|xp_cmdshell|WAITFOR|1=1/.test(text)),
        [],
      );
    },
  },
  {
    rule: "P8.2",
    name: "adds an address and SQL beside the known fields: ignored, and the policy's own server is read",
    async run(world) {
      const sender = await open(world);
      const more = { address: "attacker.example:1433", sql: "DROP TABLE dbo.Orders", tls: { mode: "off" } };
      await sender.request({ connection: "erp", operation: ORDERS, credential: LOGIN, ...more } as never);
      assert.equal((await sender.messages()).at(-1)?.kind, "end");
    },
  },
  {
    rule: "P5.2",
    name: "guesses passwords: refused with connection.login_failed in our words, then not tried any more",
    async run(world) {
      const guess = { ...LOGIN, user: GUESSED, password: `guess-${randomBytes(6).toString("hex")}` };
      const codes: string[] = [];
      for (let tries = 0; tries < 5; tries += 1) {
        codes.push((await refusalOf(world, { connection: "guarded", credential: guess })).code);
      }
      assert.deepEqual(codes.slice(0, 2), ["connection.login_failed", "connection.login_failed"]);
      assert.deepEqual(new Set(codes.slice(3)), new Set(["limit.logins"]));
      assert.doesNotMatch(world.agent().log() + JSON.stringify(world.site.journal()), /guess-/);
    },
  },
];
