import type { Typed } from "rhea";
import rhea from "rhea";
import type { Right } from "./claims.ts";

/** A refusal as AMQP says it: a condition for the client's code, a description for people. */
export type Refusal = { readonly condition: string; readonly description: string };

export const refusals = {
  // The client recognises "entity not found" by the wording of the first sentence.
  notFound: (address: string): Refusal => ({
    condition: "amqp:not-found",
    description: `The messaging entity '${address}' could not be found. Add it to the emulator's configuration.`,
  }),
  // The first sentences are Azure's, for people search the web for them.
  unauthorized: (address: string, rights: readonly Right[]): Refusal => ({
    condition: "amqp:unauthorized-access",
    description: `Unauthorized access. '${rights.join("' or '")}' claim(s) are required to perform this operation. Resource: '${address}'. A token with such a claim must be put first.`,
  }),
  notAllowed: (description: string): Refusal => ({ condition: "amqp:not-allowed", description }),
  tooLarge: (bytes: number, maxBytes: number): Refusal => ({
    condition: "amqp:link:message-size-exceeded",
    description: `The transfer of ${bytes} bytes is larger than the ${maxBytes} bytes that the entity allows.`,
  }),
  undecodable: (reason: string): Refusal => ({ condition: "amqp:decode-error", description: reason }),
  lockLost: {
    condition: "com.microsoft:message-lock-lost",
    description: "The lock supplied is invalid. Either the lock expired, or the message has already been removed.",
  } satisfies Refusal,
  messageNotFound: {
    condition: "com.microsoft:message-not-found",
    description: "At least one of the messages could not be found.",
  } satisfies Refusal,
  notStored: (reason: string): Refusal => ({ condition: "amqp:internal-error", description: `Not stored: ${reason}` }),
} as const;

// rhea has these constructors on its message module, and no typings for them.
type Outcomes = Record<"accepted" | "rejected" | "modified", (fields?: object) => { described(): Typed }>;
const outcomes = rhea.message as unknown as Outcomes;

export const accepted = (): Typed => outcomes.accepted().described();
export const rejected = (error?: Refusal): Typed => outcomes.rejected(error ? { error } : {}).described();
export const modified = (fields: object): Typed => outcomes.modified(fields).described();
