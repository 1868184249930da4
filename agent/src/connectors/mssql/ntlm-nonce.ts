/**
 * The client's nonce of an NTLM login. tedious 20.3.9 makes it of `Math.random`, which whoever has seen a few can go on
 * from: a server (or who stands in for it) that knows the nonce beforehand can look the answer up in tables made in advance.
 */
import { randomBytes } from "node:crypto";
import ntlmPayload from "tedious/lib/ntlm-payload.js";

const NONCE_BYTES = 8;

/** The class itself is what the module exports, whatever its types say. */
const payload = ntlmPayload as unknown as { readonly prototype: { createClientNonce?: () => Buffer } };

/** From now on nonces come from the system. @throws TypeError where a new version makes them some other way. */
export function useSystemNonces(): void {
  if (typeof payload.prototype.createClientNonce !== "function") {
    throw new TypeError("This driver makes its NTLM nonces some other way.");
  }
  payload.prototype.createClientNonce = () => randomBytes(NONCE_BYTES);
}
