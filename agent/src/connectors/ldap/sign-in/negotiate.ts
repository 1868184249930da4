/**
 * Kerberos in GSS-SPNEGO, bound to the TLS connection that it runs in, with neither signatures nor encryption of its own.
 * The one mechanism that is offered: it never becomes NTLM.
 */
import { parseDn } from "@sallyport/shared/directory/distinguished-name.ts";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { checkLogin } from "../credential.ts";
import type { SignIn } from "../sign-in.ts";
import { serverEndPoint } from "./channel-binding.ts";
import type { KerberosFailure, KerberosStep } from "./kerberos.ts";
import { outOfOrder, saslBind } from "./sasl-bind.ts";
import { servicePrincipal } from "./service-principal.ts";
import { initToken, readServerToken } from "./spnego.ts";

/** `DOMAIN\\user` or a user principal name, as `principal.ts` of the sign-in child takes them. */
const ACCOUNT = /^[^\\@/=,]{1,256}[\\@][^\\@/]{1,256}$/;

const FAILURES: Readonly<Record<KerberosFailure, readonly [code: ErrorCode, message: string]>> = {
  refused: ["connection.login_failed", "The domain refused the login."],
  locked: [
    "directory.account_disabled",
    "The account is disabled, expired, locked out or out of its hours: Kerberos says no more.",
  ],
  expiredAccount: ["directory.account_expired", "The account has expired."],
  expiredPassword: ["directory.password_expired", "The account's password has expired or must be changed first."],
  clockSkew: ["directory.clock_skew", "The domain finds this machine's clock more than 5 minutes off."],
  unreachable: ["directory.kerberos", "No key server (KDC) of the domain was found or answered."],
  unknownService: ["directory.kerberos", "The domain does not know the domain controller's service name (SPN)."],
  unavailable: ["directory.kerberos", "This machine has no Kerberos that can be used, or it ended by itself."],
  failed: ["directory.kerberos", "Kerberos failed."],
};

export const signInByKerberos: SignIn = async (connection, target, root) => {
  checkLogin(target.credential);
  const { user: login, password } = target.credential;
  const { certificate } = connection;
  if (!ACCOUNT.test(login)) {
    throw new SallyportError("directory.login_form", "A sign-in by Kerberos needs user@domain or DOMAIN\\user.");
  }
  if (certificate === undefined) {
    throw new SallyportError(
      "directory.clear_text",
      "Kerberos is only used inside TLS: what follows would be in the clear.",
    );
  }
  if (target.kerberos === undefined) throw failed("unavailable", 0);
  const { kerberos } = target;
  // The domain's key server gets what is made of the password first.
  target.onLogin?.("sent");
  const first = await kerberos.start({
    ...{ login, password, realm: realmOf(root.domain), service: servicePrincipal(target, root, true) },
    channelBinding: serverEndPoint(certificate),
  });
  const answer = await saslBind(connection, initToken("kerberos", tokenOf(first)));
  const token = answer.token && readServerToken(answer.token, "kerberos");
  if (answer.isMoreWanted || token?.isOther === true || token?.state === "reject") throw outOfOrder();
  if ("isDone" in first && first.isDone) return;
  // The directory's own proof: it has the key of the service that was asked for, and saw the same binding.
  if (token?.mechToken === undefined) throw outOfOrder();
  const last = await kerberos.answer(token.mechToken);
  tokenOf(last);
  if (!("isDone" in last) || !last.isDone) throw outOfOrder();
};

function tokenOf(step: KerberosStep): Uint8Array {
  if ("token" in step) return step.token;
  throw failed(step.why, step.number);
}

function failed(why: KerberosFailure, number: number): SallyportError {
  const [code, message] = FAILURES[why];
  return new SallyportError(code, message, number === 0 ? {} : { number });
}

/** `DC=corp,DC=example` is CORP.EXAMPLE [MS-ADTS 3.1.1.1.5]. */
const realmOf = (domain: string): string =>
  (parseDn(domain) ?? [])
    .flatMap((parts) => parts.filter(({ type }) => type === "DC").map(({ value }) => value))
    .join(".")
    .toUpperCase();
