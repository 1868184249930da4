/**
 * What a session and the sign-in child say to each other; the supervisor hands it on, and cannot read the login in it,
 * which is sealed to the child's own key. Closed lists: the executor is untrusted, and so is what native code gives.
 */
import { z } from "zod";

const base64url = (maxChars: number) =>
  z
    .string()
    .max(maxChars)
    .regex(/^[A-Za-z0-9_-]*$/);

/** A ticket carries its account's groups: up to 64 KiB on Windows [MS-KILE 3.1.1.2]. */
const MAX_TOKEN_CHARS = 90_000;
/** A server's answer has no ticket, and has to fit a line of the executor's. */
const MAX_ANSWER_CHARS = 6_000;

/** To the child: the login, once; then each answer of the directory. */
export const toSignIn = z.discriminatedUnion("say", [
  z.strictObject({ say: z.literal("start"), enc: base64url(2_000), ciphertext: base64url(5_500) }),
  z.strictObject({ say: z.literal("answer"), token: base64url(MAX_ANSWER_CHARS) }),
]);
export type ToSignIn = z.infer<typeof toSignIn>;

/** Why Kerberos gives nothing. */
const signInFailure = z.enum([
  "refused",
  "locked",
  "expiredAccount",
  "expiredPassword",
  "clockSkew",
  "unreachable",
  "unknownService",
  "unavailable",
  "failed",
]);
export type SignInFailure = z.infer<typeof signInFailure>;

/** From the child: its key; then a token for each message but the last, which may have none. */
export const fromSignIn = z.discriminatedUnion("say", [
  z.strictObject({ say: z.literal("key"), key: base64url(2_000) }),
  z.strictObject({ say: z.literal("token"), token: base64url(MAX_TOKEN_CHARS), isDone: z.boolean() }),
  z.strictObject({ say: z.literal("failed"), why: signInFailure, number: z.int() }),
]);
export type FromSignIn = z.infer<typeof fromSignIn>;

/** What is sealed to the child's key. */
export const sealedLogin = z.strictObject({
  /** `user@domain` or `DOMAIN\user`. */
  login: z.string().min(1).max(512),
  /** No longer one exists [MS-SAMR 3.1.1.8.7]. */
  password: z.string().min(1).max(256),
  /** The domain's, in capitals. */
  realm: z.string().regex(/^[A-Z0-9.-]{1,255}$/),
  /** `ldap/dc1.corp.example`. */
  service: z.string().regex(/^ldap\/[A-Za-z0-9._-]{1,255}$/),
  /** Application data of the TLS connection's binding; empty where its certificate has none. */
  channelBinding: base64url(200),
});

/** Of the seal: what it is for, so that nothing sealed for another use opens here. */
export const SIGN_IN_INFO: Uint8Array = Buffer.from("sallyport/1 sign-in", "latin1");

export const MAX_SIGN_IN_LINE_BYTES = 100_000;
