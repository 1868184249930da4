/** One line of the journal: its closed list of fields, and the rule for every string in it (docs/journal.md). */
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { type ErrorCode, isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { directoryAction } from "@sallyport/shared/schema/directory-words.ts";
import { nameId, randomId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { writeAction } from "@sallyport/shared/schema/write-operations.ts";
import { z } from "zod";
import { isMaskedDn, journalObject } from "./object.ts";

/** With its LF. */
export const MAX_LINE_BYTES = 4096;

const journalEvent = z.enum([
  "start",
  "stop",
  "enrol",
  "token",
  "policy",
  "lock",
  "drain",
  "session",
  "request",
  "end",
  "login",
  "unseal",
  "rotate",
  "retention",
]);

const count = z.int().min(0);
const errorCode = z.custom<ErrorCode>((value) => typeof value === "string" && isErrorCode(value), "not a code of ours");

/** The operations that this agent serves. */
export const operationName = z.enum([
  "sql.table",
  "sql.changes",
  "sql.query",
  "sql.schema",
  "sql.write",
  "sql.call",
  "ad.search",
  "ad.changes",
  "ad.schema",
  "ad.write",
  "agent.ping",
]);

/** What a caller of the journal says; sequence, time and chain are the journal's own. */
export const journalFacts = z.strictObject({
  event: journalEvent,
  agent: randomId.optional(),
  site: nameId.optional(),
  version: z
    .string()
    .regex(/^[0-9A-Za-z.+-]{1,64}$/)
    .optional(),
  policy: sha256Text.optional(),
  /** Of a `start` line alone: the machine. */
  host: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,255}$/)
    .optional(),
  /** What a `rotate` or `unseal` line is about, and the thumbprint of the key (of `mask` its id): of `rotate` the new one. */
  key: z.enum(["identity", "unseal", "orchestrator", "mask"]).optional(),
  kid: sha256Text.optional(),
  request: randomId.optional(),
  run: z
    .string()
    .regex(/^[a-z0-9.-]{1,120}$/)
    .optional(),
  pull: nameId.optional(),
  caller: z
    .string()
    .regex(/^(pull|key|app|canary):[A-Za-z0-9_.-]{1,80}$/)
    .optional(),
  connection: nameId.optional(),
  op: operationName.optional(),
  /** What a write does with its rows: a `delete` or a `replace` is to be seen as such. */
  action: z.enum([...writeAction.options, ...directoryAction.options]).optional(),
  object: journalObject.optional(),
  /** The name where the owner's policy lists it, and else `login:` and the start of its HMAC. */
  login: z
    .string()
    .regex(/^[^\p{Cc}]{1,128}$/u)
    .optional(),
  rule: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,128}$/)
    .optional(),
  decision: z.enum(["allow", "deny"]).optional(),
  code: errorCode.optional(),
  /** Of a denial: the columns or attributes that were asked for, so that its owner can see what it was about. */
  asked: z
    .array(z.string().regex(/^[^\p{Cc}]{1,128}$/u))
    .min(1)
    .max(200)
    .optional(),
  rowsOut: count.optional(),
  bytesOut: count.optional(),
  rowsIn: count.optional(),
  /** Of a session that died: it had said that it would send no more, and so much is charged. */
  bytesAtMost: count.optional(),
  /** Of the connection's day, for this request: charged where its end says nothing of what was sent. */
  bytesReserved: count.optional(),
  /** Of the rule's day, for this write, in the same way. */
  rowsReserved: count.optional(),
  /** What the owner calls the procedure: `read` or `write`. */
  effect: z.enum(["read", "write"]).optional(),
  startedMs: count.optional(),
  durationMs: count.optional(),
  /** The driver's error number and state, `18456/8`; a directory's code and sub-code, `49/52e`. */
  source: z
    .string()
    .regex(/^[0-9]{1,6}(\/[0-9a-f]{1,8})?$/)
    .optional(),
  /** A `retention` line's: the number of the first line that is kept. */
  firstKept: count.optional(),
  /** Counts and codes of this line are the executor's word, checked by schema only. */
  reported: z.literal(true).optional(),
});
export type JournalFacts = z.infer<typeof journalFacts>;

/** What the journal itself puts in front. */
export const chainFields = {
  seq: z.int().min(1),
  at: z.iso.datetime({ precision: 3 }),
  /** SHA-256 of the previous line's bytes, its LF included; absent in the very first line. */
  prev: sha256Text.optional(),
};

const journalLine = journalFacts
  .extend(chainFields)
  .refine(({ asked, decision }) => asked === undefined || decision === "deny", "only a denial says what was asked for")
  .refine(({ event, host }) => host === undefined || event === "start", "only a start line names the machine")
  // A DN that names a person passes for an identifier.
  .refine(({ op, object }) => !op?.startsWith("ad.") || object === undefined || isMaskedDn(object), "not a masked DN");
export type JournalLine = z.infer<typeof journalLine>;

/** The head of the chain, as a token request reports it. */
export interface JournalHead {
  readonly seq: number;
  readonly hash: string;
}

const FIELD_ORDER = [...Object.keys(chainFields), ...Object.keys(journalFacts.shape)];

/** As it stands in the file; what this version does not know comes last. */
export function inFieldOrder(line: object): Readonly<Record<string, unknown>> {
  const fields = new Map(Object.entries(line));
  const names = new Set([...FIELD_ORDER, ...fields.keys()]);
  return Object.fromEntries(
    [...names].flatMap((name) => (fields.get(name) === undefined ? [] : [[name, fields.get(name)]])),
  );
}

/** The line's bytes with its LF, fields in their fixed order. @throws ZodError for what must not stand in a journal. */
export function encodeLine(line: JournalLine): Buffer {
  const bytes = utf8(`${JSON.stringify(inFieldOrder(journalLine.parse(line)))}\n`);
  if (bytes.byteLength > MAX_LINE_BYTES) throw new RangeError("a journal line is at most 4 KiB");
  return bytes;
}

/** What the next line's `prev` is. */
export const hashLine = (bytes: Uint8Array): string => toBase64url(sha256(bytes));
