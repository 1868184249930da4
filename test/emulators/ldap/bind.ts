/** What a bind comes to: simple ones by the accounts there are, SASL ones by whatever the test gave. */
import { type Account, CHANNEL_BINDING_REFUSED, signIn } from "./accounts.ts";
import { type Node, text, tlv } from "./ber.ts";
import type { Emulated } from "./start.ts";

/** What somebody signed in as; `anonymous` is what Windows calls a bind without a password. */
export type Who = Account | "anonymous" | "nobody";

export interface Bound {
  readonly who: Who;
  readonly code: number;
  readonly diagnostic: string;
  /** What comes after the result. */
  readonly more: readonly Buffer[];
}

const SIMPLE = 0x80;
const SERVER_CREDENTIALS = 0x87;
const SIGNING_REQUIRED =
  "00002028: LdapErr: DSID-0C09023E, comment: The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection, data 0, v4563\0";

const refused = (code: number, diagnostic: string): Bound => ({ who: "nobody", code, diagnostic, more: [] });
const taken = (who: Who): Bound => ({ who, code: 0, diagnostic: "", more: [] });

/** @param binding the `tls-server-end-point` of the connection; undefined without TLS */
export function bind(emulated: Emulated, [, name, given]: readonly Node[], binding: Buffer | undefined): Bound {
  if (given?.tag !== SIMPLE) return bindSasl(emulated, given?.children ?? [], binding);
  const user = text(name);
  const password = text(given);
  emulated.log({ event: "bind", user, password: password.length > 0, tls: binding !== undefined });
  if (emulated.requiresSigning && binding === undefined) return refused(8, SIGNING_REQUIRED);
  // A name without a password is nobody, and that succeeds [RFC 4513 5.1.2].
  if (password === "") return taken("anonymous");
  const result = signIn(emulated.accounts, user, password);
  return "diagnostic" in result ? refused(49, result.diagnostic) : taken(result.account);
}

function bindSasl(emulated: Emulated, [mechanism, token]: readonly Node[], binding: Buffer | undefined): Bound {
  const step = { mechanism: text(mechanism), token: token?.content ?? Buffer.alloc(0), binding };
  const result = emulated.sasl?.(step);
  if (result === undefined) return refused(7, "00002027: no such mechanism\0");
  if ("refused" in result) {
    return refused(49, result.refused === "channelBinding" ? CHANNEL_BINDING_REFUSED : result.refused);
  }
  const more = [tlv(SERVER_CREDENTIALS, result.token)];
  return { who: result.account ?? "nobody", code: result.account === undefined ? 14 : 0, diagnostic: "", more };
}
