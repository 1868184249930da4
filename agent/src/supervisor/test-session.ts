/** An executor in the test's hand, and a supervisor's session around it; what it wrote and counted since the test began. */
import { before, beforeEach } from "node:test";
import { generateSeededKey } from "@sallyport/shared/crypto/envelope.ts";
import { generateKeyPair, type KeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf, type Signer } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type JournalFacts, type JournalLine, journalFacts } from "../journal/line.ts";
import { hashLogin } from "../journal/login.ts";
import { maskKeyOf } from "../mask-key.ts";
import type { EndReport, RequestReport, ToExecutor, ToSupervisor } from "../pipe/messages.ts";
import { openPolicy } from "../policy/file.ts";
import type { ConnectionBudgets } from "./budgets.ts";
import type { Executor, ExecutorExit, KillReason } from "./executors.ts";
import { createOutgrown, type Outgrown } from "./outgrown.ts";
import { runSession } from "./session.ts";
import type { Offer } from "./session-deps.ts";

export const TEXT = `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01:1433
    database: ERP
    tls: { mode: required }
    logins: [svc, batch]
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
      - { id: all, allow: [table], tables: ["hr.*"], columns: "*", callers: ["pull:staff"], limits: { seconds: 30 } }
      - { id: open, allow: [statement], name: openOrders, sql: SELECT 1 AS A, returns: [A] }
      - { id: people, allow: [table], tables: [dbo.People], columns: [PersonId, Email], mask: { Email: hash } }
      - { id: never, deny: all, tables: [hr.Salaries] }
`;
export const MASK_KEY = maskKeyOf(Buffer.alloc(32, 9));
export const OFFER: Offer = { address: "wss://g/$hc/a", challenge: "c".repeat(43), ping: false };
const LOGIN_KEY = "k".repeat(43);
/** A login as the supervisor counts it. */
export const loginOf = (user: string): string =>
  hashLogin(Buffer.from(LOGIN_KEY, "base64url"), "sql01:1433", user, "sql");
export const KEY: ToSupervisor = { say: "key", key: "A".repeat(1622) };
export const REQUEST: RequestReport = {
  say: "request",
  request: "1".repeat(32),
  caller: "pull:orders",
  connection: "erp",
  op: "sql.table",
  object: "dbo.Orders",
  rule: "orders",
  decision: "allow",
  login: "L".repeat(43),
  seconds: 60,
  bytes: 1000,
};
export const STAFF: RequestReport = { ...REQUEST, rule: "all", object: "hr.Staff", caller: "pull:staff", seconds: 30 };
export const END: EndReport = { say: "end", rowsOut: 5, bytesOut: 700 };

let signer: Signer;
/** The orchestrator's key that the agent has pinned, and the agent's own unseal key. */
export let orchestrator: KeyPair;
export let unsealKey: Awaited<ReturnType<typeof generateSeededKey>>;
export let publicKey: ReturnType<typeof publicKeyOf>;
before(async () => {
  const pair = await generateKeyPair("EdDSA");
  signer = signerOf("EdDSA", pair);
  publicKey = publicKeyOf(pair.publicJwk);
  orchestrator = await generateKeyPair("ES256");
  unsealKey = await generateSeededKey();
});

export let lines: JournalFacts[];
let budgetRefusal: Error | undefined;
let journalBroken: boolean;
let countsBroken: boolean;
let removed: string | undefined;
export let counted: string[];
/** Sleeps that were begun; ending one that was given up changes nothing. */
export let sleeping: { readonly ms: number; readonly go: () => void }[];
export let running: Set<string>;
export let outgrown: Outgrown;
export let opened: string[];
beforeEach(() => {
  [outgrown, opened, removed] = [createOutgrown(), [], undefined];
  running = new Set();
  sleeping = [];
  [lines, budgetRefusal, journalBroken, countsBroken, counted] = [[], undefined, false, false, []];
});

export function begin(offer: Offer = OFFER, text: string = TEXT) {
  const exited = Promise.withResolvers<ExecutorExit>();
  const heard: ToExecutor[] = [];
  const waiting: { say: ToExecutor["say"]; go: () => void }[] = [];
  let listener = (_message: ToSupervisor): void => {};
  const executor: Executor = {
    pid: 1,
    alive: true,
    ready: Promise.resolve(true),
    exited: exited.promise,
    send(message) {
      heard.push(message);
      for (const each of waiting) if (each.say === message.say) each.go();
    },
    onMessage: (next) => {
      listener = next;
    },
    kill: (reason: KillReason) => exited.resolve({ exitCode: null, killed: reason }),
  };
  const budgets: ConnectionBudgets = {
    begin: (_connection, _login, _limits, bytes) => {
      if (budgetRefusal !== undefined) throw budgetRefusal;
      counted.push("begun");
      return {
        bytes: bytes - 1,
        countLogin: (login) => void counted.push(`login ${login}`),
        loginAccepted: () => counted.push("accepted"),
        loginUnsent: () => {
          counted.push("unsent");
          if (countsBroken) throw new Error("ENOSPC");
        },
        release: (sentBytes) => counted.push(`released ${sentBytes}`),
      };
    },
  };
  const session = runSession(offer, executor, {
    journal: {
      append: (facts) => {
        if (journalBroken) throw new SallyportError("agent.journal_unwritable", "broken");
        lines.push(journalFacts.parse(facts));
        return facts as JournalLine;
      },
      writable: () => true,
      head: () => null,
      close: () => {},
    },
    budgets,
    running,
    loginKey: LOGIN_KEY,
    signer,
    unsealKey: () => unsealKey,
    pinned: {
      v: 1,
      agent: "a".repeat(32),
      tenant: "contoso",
      tenantName: "Contoso",
      site: "oslo",
      siteName: "Oslo",
      origin: "https://sallyport.example",
      relayHost: "contoso.servicebus.windows.net",
      listenUrl: null,
      keysSeq: 0,
      keys: [{ ...orchestrator.publicJwk }],
      settings: { canarySeconds: 300 },
    },
    policy: { ...openPolicy(text, new Date()), digest: "p".repeat(43), authorities: {} },
    network: {},
    maxSessions: 4,
    hasConnection: (name) => name !== removed,
    memoryBytes: 2 ** 29,
    state: { version: "0.1.0", policy: "p".repeat(43), maxSessions: 4, running: 0, locked: false, draining: false },
    maskKey: MASK_KEY,
    startSignIn: () => {
      throw new TypeError("No session of these signs in by Kerberos.");
    },
    outgrown,
    heard: (request, ping) => void opened.push(`${request} ${ping}`),
    clock: {
      wallMs: () => 0,
      monotonicMs: () => 0,
      sleep: (ms, signal) =>
        new Promise((go, reject) => {
          sleeping.push({ ms, go });
          signal.addEventListener("abort", reject);
        }),
    },
    log: { info: () => {}, error: () => {} } as never,
  });
  return {
    session,
    heard,
    say: (...messages: ToSupervisor[]) => {
      for (const message of messages) listener(message);
    },
    exit: (exitCode: number) => exited.resolve({ exitCode, killed: undefined }),
    kill: (reason: KillReason) => executor.kill(reason),
    told: (say: ToExecutor["say"]) =>
      new Promise<void>((go) => (heard.some((each) => each.say === say) ? go() : waiting.push({ say, go }))),
  };
}

/** What goes wrong from now on, until the test's end. */
export const broken = {
  journal: () => {
    journalBroken = true;
  },
  counts: () => {
    countsBroken = true;
  },
  /** The owner takes it out of the policy. */
  connection: (name: string) => {
    removed = name;
  },
  budgets: (refusal: Error) => {
    budgetRefusal = refusal;
  },
};
