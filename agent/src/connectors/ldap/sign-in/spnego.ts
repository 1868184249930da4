/** SPNEGO's tokens [RFC 4178, 4.2], with one mechanism offered: a sign-in that was asked for never becomes another. */
import { readBer } from "../ber.ts";
import { element, explicitTag, octets, oid, oidBytes, TAG } from "./der.ts";

const SPNEGO_OID = "1.3.6.1.5.5.2";

/** What SPNEGO knows mechanisms by. */
const MECHANISM_OID = { ntlm: "1.3.6.1.4.1.311.2.2.10", kerberos: "1.2.840.113554.1.2.2" } as const;
export type Mechanism = keyof typeof MECHANISM_OID;

const APPLICATION_0 = 0x60;

/** The list of what the client offers, as the MIC of both sides covers it. */
export const mechanismList = (mechanism: Mechanism): Buffer => element(TAG.sequence, oid(MECHANISM_OID[mechanism]));

/** The client's first token, with the mechanism's own first one in it. */
export function initToken(mechanism: Mechanism, mechToken: Uint8Array): Buffer {
  const fields = [element(explicitTag(0), mechanismList(mechanism)), element(explicitTag(2), octets(mechToken))];
  return element(APPLICATION_0, oid(SPNEGO_OID), element(explicitTag(0), element(TAG.sequence, ...fields)));
}

/** The client's later tokens. */
export function responseToken(mechToken: Uint8Array, mechListMic?: Uint8Array): Buffer {
  const fields = [element(explicitTag(2), octets(mechToken))];
  if (mechListMic !== undefined) fields.push(element(explicitTag(3), octets(mechListMic)));
  return element(explicitTag(1), element(TAG.sequence, ...fields));
}

const STATES = ["completed", "incomplete", "reject", "requestMic"] as const;

export interface ServerToken {
  readonly state?: (typeof STATES)[number] | undefined;
  /** The server took another mechanism than the one that was offered. */
  readonly isOther: boolean;
  readonly mechToken?: Buffer | undefined;
  readonly mechListMic?: Buffer | undefined;
}

/**
 * A NegTokenResp, each field at most once and in order.
 * @throws SallyportError `directory.protocol`
 */
export function readServerToken(token: Buffer, offered: Mechanism): ServerToken {
  const fields = readBer(token).open(explicitTag(1)).open(TAG.sequence);
  const field = (number: number, tag: number): Buffer | undefined =>
    fields.peek() === explicitTag(number) ? fields.open(explicitTag(number)).take(tag) : undefined;
  const state = field(0, TAG.enumerated);
  const mechanism = field(1, TAG.oid);
  const mechToken = field(2, TAG.octets);
  const mechListMic = field(3, TAG.octets);
  return {
    state: STATES[state?.length === 1 ? state[0]! : -1],
    isOther: mechanism !== undefined && !mechanism.equals(oidBytes(MECHANISM_OID[offered])),
    mechToken,
    mechListMic,
  };
}
