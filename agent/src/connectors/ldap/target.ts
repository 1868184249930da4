/** What a session with a directory is given, and how long it waits. */

import type { DirectoryOperation } from "@sallyport/shared/schema/directory-operations.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import type { Outcome, Output, Target } from "../connector.ts";
import type { DirectoryGrant } from "../directory-grant.ts";
import type { Kerberos } from "./sign-in/kerberos.ts";

/** Where to connect and as whom. `required` is TLS from the first byte (LDAPS), `sealed` a security layer of the sign-in's. */
export interface DirectoryTarget extends Omit<Target, "database" | "tls"> {
  readonly tls: { readonly mode: "required" | "startTls" | "sealed"; readonly caPem?: string };
  /** Kerberos, which runs in a process of its own; without it there is no sign-in by `negotiate`. */
  readonly kerberos?: Kerberos;
}

/** Serves one operation over one connection of its own, closed before it returns or throws a SallyportError. */
export type DirectoryConnector = (
  target: DirectoryTarget,
  operation: DirectoryOperation,
  grant: DirectoryGrant,
  limits: Limits,
  output: Output,
  signal: AbortSignal,
) => Promise<Outcome>;

export interface Deadlines {
  /** Name, port and TLS together. */
  readonly connectMs: number;
  /** Each answer while connecting and signing in. */
  readonly signInMs: number;
  /** Each message afterwards. A domain controller gives a query up after 120 seconds (MaxQueryDuration). */
  readonly answerMs: number;
}

export const DEADLINES: Deadlines = { connectMs: 15_000, signInMs: 15_000, answerMs: 150_000 };
