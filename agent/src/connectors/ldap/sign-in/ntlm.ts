/**
 * NTLMv2 in GSS-SPNEGO. On the port for clear text everything after it is signed and sealed; in TLS it is bound to the
 * connection instead, because domain controllers refuse both at once (code 53).
 */
import { randomBytes } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { checkLogin } from "../credential.ts";
import type { SignIn } from "../sign-in.ts";
import type { SecurityLayer } from "../wire.ts";
import { serverEndPoint } from "./channel-binding.ts";
import { createNtlmClient, type NtlmAnswer } from "./ntlm/client.ts";
import { createReceiver, createSender } from "./ntlm/protection.ts";
import { outOfOrder, saslBind } from "./sasl-bind.ts";
import { servicePrincipal } from "./service-principal.ts";
import { initToken, mechanismList, readServerToken, responseToken, type ServerToken } from "./spnego.ts";

/** `DOMAIN\user` or a user principal name; Windows accounts have no distinguished name to NTLM. */
const ACCOUNT = /^[^\\@=,]{1,256}[\\@][^\\@]{1,256}$/;

export const signInByNtlm: SignIn = async (connection, target, root) => {
  checkLogin(target.credential);
  const { user: login, password } = target.credential;
  if (!ACCOUNT.test(login)) {
    throw new SallyportError("directory.login_form", "A sign-in by NTLM needs user@domain or DOMAIN\\user.");
  }
  const sealed = !connection.isPrivate;
  const channelBinding = connection.certificate && serverEndPoint(connection.certificate);
  const client = createNtlmClient(
    {
      ...{ login, password, sealed, servicePrincipal: servicePrincipal(target, root, connection.isPrivate) },
      ...(channelBinding === undefined ? {} : { channelBinding }),
    },
    { randomBytes, nowMs: Date.now },
  );
  const first = await saslBind(connection, initToken("ntlm", client.negotiate));
  const offer = first.token && readServerToken(first.token, "ntlm");
  if (!first.isMoreWanted || offer?.mechToken === undefined || isRefusal(offer)) throw outOfOrder();
  const answer = client.answer(offer.mechToken);
  if (answer === undefined) {
    throw new SallyportError("directory.protocol", "The directory agrees to less than NTLMv2 with 128-bit keys.");
  }
  target.onLogin?.("sent");
  const mic = sealed ? createSender(answer.sessionKey, "client").sign(mechanismList("ntlm")) : undefined;
  const last = await saslBind(connection, responseToken(answer.message, mic));
  const end = last.token && readServerToken(last.token, "ntlm");
  if (last.isMoreWanted || (end !== undefined && isRefusal(end))) throw outOfOrder();
  checkMic(end, answer, sealed);
  if (sealed) connection.protect(sealing(answer.sessionKey), true);
};

const isRefusal = ({ state, isOther }: ServerToken): boolean => isOther || state === "reject";

/** The server's proof that it knows the password too, and that nobody changed what was negotiated [RFC 4178, 5]. */
function checkMic(end: ServerToken | undefined, { sessionKey }: NtlmAnswer, sealed: boolean): void {
  const mic = end?.mechListMic;
  // In TLS it is the certificate that says who the server is, and none need be sent.
  if (mic === undefined && !sealed) return;
  if (mic !== undefined && createReceiver(sessionKey, "server").verify(mechanismList("ntlm"), mic)) return;
  throw new SallyportError("directory.integrity", "The directory's end of the sign-in does not bear the right mark.");
}

/** Each side has signed one MIC. After it RC4 begins anew [MS-SPNG 3.3.5.1], and the sequence numbers go on (measured). */
const SIGNED_BEFORE = 1;

function sealing(sessionKey: Uint8Array): SecurityLayer {
  const sender = createSender(sessionKey, "client", SIGNED_BEFORE);
  const receiver = createReceiver(sessionKey, "server", SIGNED_BEFORE);
  return {
    wrap: (message) => sender.seal(message),
    unwrap(sealed) {
      const message = receiver.unseal(sealed);
      if (message !== undefined) return message;
      throw new SallyportError("directory.integrity", "A message of the directory was altered, lost or repeated.");
    },
  };
}
