/** Kerberos as a sign-in needs it: tokens out, tokens in. */
import type { SignInFailure } from "../pipe/sign-in-messages.ts";

export interface KerberosLogin {
  readonly login: string;
  readonly password: string;
  readonly realm: string;
  readonly service: string;
  /** Undefined where there is none. */
  readonly channelBinding: Buffer | undefined;
}

export type Step =
  /** `token` may be empty once it is done. */
  { readonly token: Buffer; readonly isDone: boolean } | { readonly why: SignInFailure; readonly number: number };

export interface Kerberos {
  /** The first token without an answer, then one for each. It is done when the directory has shown who it is. */
  step(answer: Buffer | undefined): Step;
}
