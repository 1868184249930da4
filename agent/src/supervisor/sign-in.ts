/**
 * The supervisor's part in a sign-in by Kerberos: it starts a child for it, once a session and only where the owner's policy
 * names this way, and hands messages on. The login in them is sealed to the child's key, so it never comes here.
 */
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import type { RequestReport, ToSupervisor } from "../pipe/messages.ts";
import type { FromSignIn, ToSignIn } from "../pipe/sign-in-messages.ts";
import type { Executor } from "./executors.ts";

export interface SignInChild {
  send(message: ToSignIn): void;
  /** Also one that has ended. */
  kill(): void;
}

/** @param ended called once, however it ends */
export type StartSignIn = (hear: (message: FromSignIn) => void, ended: () => void) => SignInChild;

export interface SigningIn {
  /** False for any other message, and for one that this session may not send. */
  takes(message: ToSupervisor, session: { readonly request: RequestReport } | undefined): boolean;
  /** Kills the child, where there is one. */
  close(): void;
}

export function createSigningIn(executor: Pick<Executor, "send">, policy: Policy, start: StartSignIn): SigningIn {
  let child: SignInChild | undefined;
  /** It has said its last word, or was told for it. */
  let isOver = false;
  const hear = (from: FromSignIn): void => {
    if (isOver) return;
    isOver = from.say === "failed" || (from.say === "token" && from.isDone);
    executor.send({ say: "signIn", from });
  };
  return {
    takes(message, session) {
      if (message.say !== "signIn" || session === undefined) return false;
      if (message.to !== undefined) {
        child?.send(message.to);
        return child !== undefined;
      }
      if (child !== undefined || !mayNegotiate(policy, session.request.connection)) return false;
      child = start(hear, () => hear({ say: "failed", why: "unavailable", number: 0 }));
      return true;
    },
    close() {
      isOver = true;
      child?.kill();
    },
  };
}

function mayNegotiate({ connections }: Policy, name: string | undefined): boolean {
  const connection = name !== undefined && Object.hasOwn(connections, name) ? connections[name] : undefined;
  return connection?.kind === "activeDirectory" && connection.signIn.includes("negotiate");
}
