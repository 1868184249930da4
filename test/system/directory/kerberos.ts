/** The sign-in child as a session has it, without the processes around: what the supervisor hands on is handed on here. */
import type { Kerberos } from "@sallyport/agent/src/connectors/ldap/sign-in/kerberos.ts";
import { createKerberos } from "@sallyport/agent/src/executor/kerberos.ts";
import type { FromSignIn, ToSignIn } from "@sallyport/agent/src/pipe/sign-in-messages.ts";
import type { SignInChild } from "@sallyport/agent/src/supervisor/sign-in.ts";
import { startSignInChild } from "@sallyport/agent/src/supervisor/sign-in-child.ts";

export interface OneSignIn {
  readonly kerberos: Kerberos;
  /** Whether its process has gone. */
  readonly ended: Promise<void>;
  /** Every line that went to it and came from it. */
  readonly lines: string[];
}

/** For one sign-in; the child starts when it is asked for. */
export function kerberosOfOwn(): OneSignIn {
  const ended = Promise.withResolvers<void>();
  const lines: string[] = [];
  let child: SignInChild | undefined;
  let next = Promise.withResolvers<FromSignIn>();
  const hear = (from: FromSignIn): void => {
    lines.push(JSON.stringify(from));
    next.resolve(from);
  };
  const over = (): void => {
    next.resolve({ say: "failed", why: "unavailable", number: 0 });
    ended.resolve();
  };
  const signIn = async (to?: ToSignIn): Promise<FromSignIn> => {
    next = Promise.withResolvers<FromSignIn>();
    if (to === undefined) child = startSignInChild(hear, over, { error: () => {} });
    else {
      lines.push(JSON.stringify(to));
      child?.send(to);
    }
    return await next.promise;
  };
  return { kerberos: createKerberos({ signIn }), ended: ended.promise, lines };
}
