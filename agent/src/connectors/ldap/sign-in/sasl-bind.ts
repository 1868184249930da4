/** One step of a SASL sign-in: a bind with a token, answered by a result with another [RFC 4511 4.2, RFC 4513 5.2.1]. */

import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Connection, Request } from "../connection.ts";
import { signInError } from "../errors.ts";
import { element, explicitTag, integer, octets } from "./der.ts";

/** Microsoft's name for SPNEGO in SASL, without the layer negotiation of RFC 4752 [MS-ADTS 5.1.1.1.2]. */
const MECHANISM = Buffer.from("GSS-SPNEGO", "latin1");
const LDAP_VERSION = 3;
const TAG = { message: 0x30, bind: 0x60, sasl: explicitTag(3), serverCredentials: 0x87 } as const;
const CODE = { success: 0, inProgress: 14 } as const;

/** `ldapts` writes SASL binds with text for a token, which would not survive. */
function saslBindRequest(token: Uint8Array): Request {
  return {
    messageId: 0,
    write() {
      const credentials = element(TAG.sasl, octets(MECHANISM), octets(token));
      const bind = element(TAG.bind, integer(LDAP_VERSION), octets(Buffer.alloc(0)), credentials);
      return element(TAG.message, integer(this.messageId), bind);
    },
  };
}

export interface SaslAnswer {
  /** The directory asks for another token. */
  readonly isMoreWanted: boolean;
  readonly token: Buffer | undefined;
}

/** @throws SallyportError what the directory refuses the sign-in by; `directory.protocol`, `directory.timeout`, `connection.lost` */
export async function saslBind(connection: Connection, token: Uint8Array): Promise<SaslAnswer> {
  const result = await connection.ask(saslBindRequest(token));
  if (result.code !== CODE.success && result.code !== CODE.inProgress) throw signInError(result);
  const { rest } = result;
  const credentials = rest.peek() === TAG.serverCredentials ? rest.take(TAG.serverCredentials) : undefined;
  // Some say that there are none by an empty one.
  return {
    isMoreWanted: result.code === CODE.inProgress,
    token: credentials === undefined || credentials.length === 0 ? undefined : credentials,
  };
}

export const outOfOrder = (): SallyportError =>
  new SallyportError("directory.protocol", "The directory answered the sign-in out of order.");
