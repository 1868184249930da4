/** The sign-in child: one login in, the tokens of one Kerberos sign-in out, and the end. Native code runs here and nowhere else. */
import { Socket } from "node:net";
import { fromBase64url, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateSessionKey, open, type SessionKey } from "@sallyport/shared/crypto/envelope.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { encodeLine, PIPE_FD, readLines } from "../pipe/lines.ts";
import {
  type FromSignIn,
  MAX_SIGN_IN_LINE_BYTES,
  SIGN_IN_INFO,
  sealedLogin,
  type ToSignIn,
  toSignIn,
} from "../pipe/sign-in-messages.ts";
import type { Kerberos } from "./mechanism.ts";
import { kerberosOf } from "./of-platform.ts";

const NO_BYTES = new Uint8Array();

/** Settles when there is nothing more to do. Rejects for whatever is not of the closed list: the process ends either way. */
export async function serveOneSignIn(): Promise<void> {
  const sessionKey = await generateSessionKey();
  const pipe = new Socket({ fd: PIPE_FD, readable: true, writable: true });
  const say = (message: FromSignIn): Promise<void> =>
    new Promise((resolve) => pipe.write(encodeLine(message), () => resolve()));
  const ended = Promise.withResolvers<void>();
  let kerberos: Kerberos | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const take = async (message: ToSignIn): Promise<void> => {
    // The login comes once, and before any answer.
    if ((message.say === "start") !== (kerberos === undefined)) throw new TypeError("out of order");
    if (message.say === "start") kerberos = await begin(message, sessionKey);
    if (kerberos === undefined) return ended.resolve(say({ say: "failed", why: "unavailable", number: 0 }));
    const answer = message.say === "start" ? undefined : Buffer.from(message.token, "base64url");
    const step = kerberos.step(answer);
    if ("why" in step) return ended.resolve(say({ say: "failed", ...step }));
    const { token, isDone } = step;
    await say({ say: "token", token: toBase64url(token), isDone });
    if (isDone) ended.resolve();
  };
  const onLine = (text: string): void => {
    const parsed = toSignIn.safeParse(parseJson(text));
    if (parsed.success) turn = turn.then(() => take(parsed.data)).catch(ended.reject);
    else ended.reject(new TypeError("not of the list"));
  };
  readLines(pipe, MAX_SIGN_IN_LINE_BYTES, onLine, () => ended.reject(new TypeError("too long")));
  for (const event of ["error", "close"]) pipe.on(event, () => ended.reject(new Error("the supervisor has gone")));
  await say({ say: "key", key: toBase64url(sessionKey.publicKey) });
  await ended.promise;
}

/** Undefined where this machine has no Kerberos. */
async function begin(
  { enc, ciphertext }: Extract<ToSignIn, { say: "start" }>,
  sessionKey: SessionKey,
): Promise<Kerberos | undefined> {
  const bytes = (text: string): Uint8Array => fromBase64url(text) ?? NO_BYTES;
  const opened = await open(sessionKey, bytes(enc), SIGN_IN_INFO, NO_BYTES, bytes(ciphertext));
  const login = sealedLogin.parse(parseJson(Buffer.from(opened?.plaintext ?? NO_BYTES).toString("utf8")));
  const binding = bytes(login.channelBinding);
  try {
    const channelBinding = binding.byteLength === 0 ? undefined : Buffer.from(binding);
    return await kerberosOf(process.platform, { ...login, channelBinding });
  } catch {
    return undefined;
  }
}
