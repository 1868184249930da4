/** What the driver signs in by, from the policy's word: a login of the server's, or one of Windows' by NTLM. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { ConnectionConfiguration } from "tedious";
import type { Target } from "../connector.ts";
import { useSystemNonces } from "./ntlm-nonce.ts";

export type Authentication = NonNullable<ConnectionConfiguration["authentication"]>;

/** `DOMAIN\user`: the NetBIOS name of the domain, or of the server for an account of its own [MS-NLMP 2.2.1.1]. */
const WINDOWS_LOGIN = /^([^\\/"@[\]:;|=,+*?<>\p{Cc}]{1,15})\\([^\\/"[\]:;|=,+*?<>\p{Cc}]{1,104})$/u;

/** @throws SallyportError `connection.windows_login_refused` where the login is not `DOMAIN\user`, or the sign-in unknown. */
export function authenticationOf({ user, password, signIn }: Target["credential"]): Authentication {
  if (signIn === "sql") return { type: "default", options: { userName: user, password } };
  const [, domain, userName] = (signIn === "windowsNtlm" && WINDOWS_LOGIN.exec(user)) || [];
  if (domain === undefined || userName === undefined) {
    throw new SallyportError("connection.windows_login_refused", "A Windows login is DOMAIN\\user, by windowsNtlm.");
  }
  useSystemNonces();
  return { type: "ntlm", options: { domain, userName, password } };
}
