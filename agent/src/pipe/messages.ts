/**
 * The closed list of what supervisor and executor say to each other. The executor is untrusted: it may name its one-time
 * public key, metadata of its request, and how it ended, each once and in this order. No row, request or credential
 * passes here in either direction.
 */
import { sealedPart } from "@sallyport/shared/crypto/sealed-part.ts";
import { nameId, randomId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { agentState } from "@sallyport/shared/schema/liveness.ts";
import { z } from "zod";
import { journalFacts } from "../journal/line.ts";
import { fromSignIn, toSignIn } from "./sign-in-messages.ts";

const text = (max: number) => z.string().max(max);
const count = z.int().min(0);
const { asked, code, op, action, object, rule, decision, effect, source, request, run, pull, caller, connection } =
  journalFacts.shape;

/** Supervisor to executor: everything for one session, then `hello`, then `go` or `refuse`. */
export const toExecutor = z.discriminatedUnion("say", [
  z.strictObject({
    say: z.literal("session"),
    address: z.url().max(16_384),
    ping: z.boolean(),
    /** What a ping is answered with. */
    state: agentState,
    /** Resident bytes above which the supervisor kills; the session ends by itself before that, where it can. */
    memoryBytes: z.int().min(1),
    agent: randomId,
    site: nameId,
    tenant: nameId,
    /** The orchestrator's pinned public keys. */
    keys: z.array(z.record(z.string(), z.unknown())).min(1).max(8),
    /** The value of the owner's file, which the supervisor has read: an executor needs no YAML. */
    policy: z.unknown(),
    /** PEM of the authorities that the policy's connections name: the executor may read no file. */
    authorities: z.record(nameId, text(1_048_576)),
    caPem: text(1_048_576).optional(),
    proxy: text(2048).optional(),
    /** Key of the HMAC under which failed logins are counted. */
    loginKey: sha256Text,
  }),
  z.strictObject({ say: z.literal("hello"), record: text(16_384) }),
  /** What is reserved for this session: it sends no more bytes and writes no more rows. */
  z.strictObject({
    say: z.literal("go"),
    bytes: z.int().min(1).optional(),
    rows: z.int().min(1).optional(),
    /** The site's mask key; only where the rule of this request masks with `hash`. */
    maskKey: sha256Text.optional(),
  }),
  /** What the executor asked to unseal: 32 bytes, which open that one text. */
  z.strictObject({ say: z.literal("unsealed"), key: sha256Text }),
  /** The login that was sealed is counted, as those are that a request names. */
  z.strictObject({ say: z.literal("counted") }),
  /** From the sign-in child. */
  z.strictObject({ say: z.literal("signIn"), from: fromSignIn }),
  z.strictObject({ say: z.literal("refuse"), code: code.unwrap(), message: text(500) }),
  /** Stop at the next checkpoint. */
  z.strictObject({ say: z.literal("finish") }),
  /** Stop now and report this code. */
  z.strictObject({ say: z.literal("stop"), code: code.unwrap(), message: text(500) }),
]);
export type ToExecutor = z.infer<typeof toExecutor>;
export type SessionOrder = Extract<ToExecutor, { say: "session" }>;

/** Executor to supervisor. */
export const toSupervisor = z.discriminatedUnion("say", [
  z.strictObject({ say: z.literal("ready") }),
  z.strictObject({ say: z.literal("key"), key: z.string().regex(/^[A-Za-z0-9_-]{1622}$/) }),
  z.strictObject({
    say: z.literal("request"),
    request: request.unwrap(),
    run,
    pull,
    caller: caller.unwrap(),
    connection,
    op: op.unwrap(),
    /** Of `sql.write` and `ad.write`. */
    action,
    object,
    rule,
    decision: decision.unwrap(),
    code,
    /** Of a denial: columns or attributes. */
    asked,
    /** HMAC of connection and login; for the breaker of failed logins. */
    login: sha256Text.optional(),
    /** The request brings a credential that the customer sealed: its login is said once it was opened. */
    sealed: z.literal(true).optional(),
    /** How long this session may run, by its own and the owner's limits. */
    seconds: z.int().min(1).max(86_400),
    /** How much it may send, by the same. */
    bytes: z.int().min(1).max(1e15).optional(),
    /** How many rows it may write, by the same; in a directory how many passwords or deletions. */
    rows: z.int().min(1).max(1e12).optional(),
    /** What the owner calls the procedure. */
    effect,
  }),
  /** A sealed credential's encapsulated secret and the orchestrator's grant for it; never the text that was sealed. */
  z.strictObject({
    say: z.literal("unseal"),
    connection: nameId,
    kid: sealedPart.shape.kid,
    enc: sealedPart.shape.enc,
    grant: text(4096),
  }),
  /** The login that was sealed, as the request's would have been. */
  z.strictObject({ say: z.literal("login"), login: sha256Text }),
  /** Asks for a sign-in child, once; then what is for it. */
  z.strictObject({ say: z.literal("signIn"), to: toSignIn.optional() }),
  /** The system took the login. Said at once: the session goes on, and may be killed. */
  z.strictObject({ say: z.literal("accepted") }),
  /** It will send no more than so many bytes before it says so again; said before the first byte beyond what was said. */
  z.strictObject({ say: z.literal("sending"), bytes: count }),
  z.strictObject({
    say: z.literal("end"),
    code,
    rowsOut: count,
    bytesOut: count,
    /** Rows that came to be written, whether or not they were; of `ad.write` the objects changed, or perhaps changed. */
    rowsIn: count.optional(),
    source,
    /** No login left this machine. Without this word or `accepted` before it, the attempt counts as failed. */
    unsent: z.literal(true).optional(),
  }),
]);
export type ToSupervisor = z.infer<typeof toSupervisor>;
export type RequestReport = Extract<ToSupervisor, { say: "request" }>;
export type UnsealReport = Extract<ToSupervisor, { say: "unseal" }>;
export type EndReport = Extract<ToSupervisor, { say: "end" }>;

/** What an executor may send before its first `sending`, and how much further it goes with each. */
export const SENDING_STEP_BYTES: number = 256 * 2 ** 20;

/** Bytes of one message: an order brings the policy and its authorities, a report is hardly a kilobyte. */
export const MAX_LINE_BYTES = { toExecutor: 2 ** 26, toSupervisor: 8192 } as const;

/** Exit codes of an executor. */
export const EXECUTOR_EXIT = { ok: 0, failed: 70, notConfined: 78 } as const;
