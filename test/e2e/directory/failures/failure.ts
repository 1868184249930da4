/** What a row of the table of failures says: what happens, what a session makes of it, and by when. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import type { Stage } from "./stage.ts";

/**
 * What ends the session: nothing but itself, before anything is contacted; the other end's word; or one of the connector's own
 * deadlines. The test makes that one small and the others an hour, so that no other can have ended it.
 */
export type Ends = "here" | "answer" | "connectMs" | "signInMs" | "answerMs";

/** What crosses the network: nothing, TLS from the first byte, TLS after the request for it, what NTLM seals. */
export type Wire = "nothing" | "tls" | "startTls" | "sealed";

export interface Failure {
  /** What happens; begins a sentence in the page. */
  readonly name: string;
  readonly code: ErrorCode;
  /** `…` where it holds a time. */
  readonly message: string;
  readonly ends: Ends;
  readonly wire: Wire;
  /** What the error says besides, where that is of use to somebody. */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** What the breaker is told of the login: `accepted` where the password was right. */
  readonly login?: readonly ("sent" | "accepted")[];
  /** Sets the stage and goes through with it. Rejects with the failure. */
  readonly meet: (stage: Stage) => Promise<unknown>;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Failure[];
}
