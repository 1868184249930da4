/** Kerberos as a sign-in here is given it: the login goes to a process of its own, tokens come back. */

export interface KerberosLogin {
  /** `user@domain` or `DOMAIN\\user`. */
  readonly login: string;
  readonly password: string;
  /** `CORP.EXAMPLE` */
  readonly realm: string;
  /** `ldap/dc1.corp.example` */
  readonly service: string;
  readonly channelBinding: Uint8Array | undefined;
}

export type KerberosStep =
  /** Done when the directory has shown who it is; there may be no token then. */
  { readonly token: Uint8Array; readonly isDone: boolean } | { readonly why: KerberosFailure; readonly number: number };

export type KerberosFailure =
  | "refused"
  | "locked"
  | "expiredAccount"
  | "expiredPassword"
  | "clockSkew"
  | "unreachable"
  | "unknownService"
  | "unavailable"
  | "failed";

/** Of one sign-in. @throws SallyportError for a login that cannot be handed on */
export interface Kerberos {
  start(login: KerberosLogin): Promise<KerberosStep>;
  /** What the directory answered. */
  answer(token: Uint8Array): Promise<KerberosStep>;
}
