import rhea from "rhea";
import { z } from "zod";
import type { Journal } from "../broker/journal.ts";
import { type Entity, peek } from "../broker/namespace.ts";
import type { Queue, Settlement } from "../broker/queue.ts";
import type { Right } from "./claims.ts";
import { MAX_MESSAGE_BYTES } from "./incoming.ts";
import { encodeDelivery, encodeStored, readMessage } from "./message.ts";
import { type Refusal, refusals } from "./refusal.ts";
import type { Reply, Request } from "./replies.ts";

const { types } = rhea;

const binary = z.custom<Buffer>(Buffer.isBuffer, "not binary");
const lockToken = binary.refine((bytes) => bytes.length === 16).transform((bytes) => rhea.uuid_to_string(bytes));
// rhea leaves 64-bit integers beyond 2^53 as bytes; no sequence number of ours is among them.
const sequenceNumbers = z.array(z.number().int());

const bodies = {
  "com.microsoft:schedule-message": z.object({ messages: z.array(z.object({ message: binary })).min(1) }),
  "com.microsoft:cancel-scheduled-message": z.object({ "sequence-numbers": sequenceNumbers }),
  "com.microsoft:peek-message": z.object({
    "from-sequence-number": z.number().int(),
    "message-count": z.number().int().min(1),
  }),
  "com.microsoft:renew-lock": z.object({ "lock-tokens": z.array(lockToken).min(1) }),
  "com.microsoft:receive-by-sequence-number": z.object({
    "sequence-numbers": sequenceNumbers,
    "receiver-settle-mode": z.union([z.literal(0), z.literal(1)]),
  }),
  "com.microsoft:update-disposition": z.object({
    "disposition-status": z.enum(["completed", "abandoned", "defered", "suspended"]),
    "lock-tokens": z.array(lockToken).min(1),
    "deadletter-reason": z.string().optional(),
    "deadletter-description": z.string().optional(),
    "properties-to-modify": z.record(z.string(), z.unknown()).optional(),
  }),
} as const;

type Operation = keyof typeof bodies;
type Body<O extends Operation> = z.infer<(typeof bodies)[O]>;

const SENDING: readonly string[] = [
  "com.microsoft:schedule-message",
  "com.microsoft:cancel-scheduled-message",
] satisfies Operation[];

const OK: Reply = { status: 200, description: "OK" };
const GONE = refused(410, refusals.lockLost);
const NOT_FOUND = refused(404, refusals.messageNotFound);
const MAX_PEEK = 250;
const TYPE_CODE = { long: 0x81, timestamp: 0x83 } as const;

/**
 * What a request to `ENTITY/$management` needs: the right to send, or to receive. An unknown operation
 * needs either, for it is answered with nothing but that.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas#rights-required-for-service-bus-operations
 */
export function rightsFor(operation: string): readonly Right[] {
  if (!Object.hasOwn(bodies, operation)) return ["Send", "Listen"];
  return SENDING.includes(operation) ? ["Send"] : ["Listen"];
}

/**
 * Answers a request to `ENTITY/$management` once what it changed is in the journal.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response
 */
export async function manage(entity: Entity, journal: Journal, { operation, body }: Request): Promise<Reply> {
  if (!Object.hasOwn(bodies, operation)) {
    return { status: 501, description: `The operation ${operation} is not emulated.` };
  }
  const parsed = bodies[operation as Operation].safeParse(body);
  if (!parsed.success) return refused(400, argumentError(parsed.error));
  const reply = run(entity, operation as Operation, parsed.data);
  await journal.committed();
  return reply;
}

function run(entity: Entity, operation: Operation, body: unknown): Reply {
  switch (operation) {
    case "com.microsoft:schedule-message":
      return schedule(entity, body as Body<typeof operation>);
    case "com.microsoft:cancel-scheduled-message":
      return entity.inlet?.cancel((body as Body<typeof operation>)["sequence-numbers"]) ? OK : NOT_FOUND;
    case "com.microsoft:peek-message":
      return peekMessages(entity, body as Body<typeof operation>);
    case "com.microsoft:renew-lock":
      return renewLocks(entity.queue, body as Body<typeof operation>);
    case "com.microsoft:receive-by-sequence-number":
      return receiveDeferred(entity.queue, body as Body<typeof operation>);
    case "com.microsoft:update-disposition":
      return updateDisposition(entity.queue, body as Body<typeof operation>);
    default:
      return operation satisfies never;
  }
}

function schedule({ inlet, path }: Entity, { messages }: Body<"com.microsoft:schedule-message">): Reply {
  if (!inlet) return refused(400, refusals.notAllowed(`Nothing can be sent to '${path}'.`));
  const largest = Math.max(...messages.map(({ message }) => message.length));
  if (largest > MAX_MESSAGE_BYTES) return refused(400, refusals.tooLarge(largest, MAX_MESSAGE_BYTES));
  const numbers = inlet.accept(messages.map(({ message }) => readMessage(message, rhea.generate_uuid)));
  return { ...OK, body: { "sequence-numbers": types.wrap_array(numbers, TYPE_CODE.long, undefined) } };
}

function refused(status: number, refusal: Refusal): Reply {
  return { status, description: refusal.description, refusal };
}

function peekMessages(entity: Entity, body: Body<"com.microsoft:peek-message">): Reply {
  const found = peek(entity, body["from-sequence-number"], Math.min(body["message-count"], MAX_PEEK));
  if (found.length === 0) return { status: 204, description: "No Content" };
  return { ...OK, body: { messages: found.map((stored) => ({ message: encodeStored(stored) })) } };
}

function renewLocks(queue: Queue | undefined, body: Body<"com.microsoft:renew-lock">): Reply {
  const ends = body["lock-tokens"].map((token) => queue?.renew(token));
  if (!ends.every((end) => end !== undefined)) return GONE;
  return { ...OK, body: { expirations: types.wrap_array(ends, TYPE_CODE.timestamp, undefined) } };
}

function receiveDeferred(queue: Queue | undefined, body: Body<"com.microsoft:receive-by-sequence-number">): Reply {
  const mode = body["receiver-settle-mode"] === 0 ? "receiveAndDelete" : "peekLock";
  const deliveries = queue?.receiveDeferred(body["sequence-numbers"], mode);
  if (!deliveries) return NOT_FOUND;
  const messages = deliveries.map((delivery) => ({
    message: encodeDelivery(delivery),
    ...(delivery.lock ? { "lock-token": types.wrap_uuid(rhea.string_to_uuid(delivery.lock.token)) } : {}),
  }));
  return { ...OK, body: { messages } };
}

function updateDisposition(queue: Queue | undefined, body: Body<"com.microsoft:update-disposition">): Reply {
  const results = body["lock-tokens"].map((token) => queue?.settle(token, settlementOf(body)) ?? "lockLost");
  if (results.includes("lockLost")) return GONE;
  if (!results.includes("notAllowed")) return OK;
  return refused(400, refusals.notAllowed("A dead letter cannot be dead-lettered again."));
}

function settlementOf(body: Body<"com.microsoft:update-disposition">): Settlement {
  const changes = body["properties-to-modify"] ?? {};
  const { "deadletter-reason": reason, "deadletter-description": description } = body;
  switch (body["disposition-status"]) {
    case "completed":
      return { to: "complete" };
    case "abandoned":
      return { to: "abandon", changes };
    case "defered":
      return { to: "defer", changes };
    case "suspended":
      return {
        to: "deadLetter",
        changes,
        ...(reason === undefined ? {} : { reason }),
        ...(description === undefined ? {} : { description }),
      };
    default:
      return body["disposition-status"] satisfies never;
  }
}

function argumentError(error: z.ZodError): Refusal {
  return { condition: "com.microsoft:argument-error", description: z.prettifyError(error) };
}
