import type { Typed } from "rhea";
import rhea from "rhea";
import type { Facets, SystemProperty } from "../broker/facets.ts";
import type { Message, PropertyChanges, StoredMessage } from "../broker/message.ts";
import type { Delivery } from "../broker/queue.ts";
import { encodeSection, pairsOf, SECTION, type Section, splitSections } from "./sections.ts";

const { types } = rhea;

// A message that was received and is sent on still carries what the broker once wrote on it.
const BROKER_ANNOTATIONS = new Set([
  "x-opt-sequence-number",
  "x-opt-enqueue-sequence-number",
  "x-opt-enqueued-time",
  "x-opt-locked-until",
  "x-opt-message-state",
  "x-opt-deadletter-source",
]);

const STATE_CODES = { active: 0, deferred: 1, scheduled: 2 } as const;
const MAX_UINT = 2 ** 32 - 1;

/**
 * Reads what a sender transferred. A message without an id is given one, because the client's lock
 * renewal and our duplicate detection both go by it.
 *
 * @throws Error when the bytes are not an AMQP message
 */
export function readMessage(bytes: Buffer, newId: () => string): Message {
  const sections = splitSections(bytes);
  const section = (code: number) => sections.find((each) => each.code === code);
  const annotations = pairsOf(section(SECTION.messageAnnotations));
  const scheduled = new Map(annotations).get("x-opt-scheduled-enqueue-time")?.value;
  const ttl: unknown = section(SECTION.header)?.value.value[2]?.value;
  const bare = sections.find(({ code }) => code >= SECTION.properties)!;
  const { messageId, bytes: identified } = withMessageId(
    bytes.subarray(bare.start),
    section(SECTION.properties),
    newId,
  );
  return {
    messageId,
    ttlMs: typeof ttl === "number" ? ttl : undefined,
    scheduledAtMs: scheduled instanceof Date ? scheduled.getTime() : undefined,
    annotations: encodeAnnotations(annotations.filter(([name]) => !BROKER_ANNOTATIONS.has(name))),
    bare: identified,
  };
}

/** The message as a receiver gets it: the sender's bytes behind a new header and the broker's annotations. */
export function encodeDelivery({ stored, lock }: Delivery): Buffer {
  return encodeStored(stored, lock ? { "x-opt-locked-until": types.wrap_timestamp(lock.untilMs) } : {});
}

/** The message as someone sees it who only peeks. */
export function encodeStored(stored: StoredMessage, more: Readonly<Record<string, Typed>> = {}): Buffer {
  const { message, sequenceNumber } = stored;
  const ttlMs = stored.expiresAtMs === Infinity ? message.ttlMs : stored.expiresAtMs - stored.enqueuedAtMs;
  const header = types.wrap_list([
    types.wrap_boolean(true),
    null,
    ttlMs === undefined || ttlMs > MAX_UINT ? null : types.wrap_uint(ttlMs),
    null,
    types.wrap_uint(stored.deliveries),
  ]);
  const own: Record<string, Typed> = {
    "x-opt-sequence-number": types.wrap_long(sequenceNumber),
    "x-opt-enqueue-sequence-number": types.wrap_long(sequenceNumber),
    "x-opt-enqueued-time": types.wrap_timestamp(stored.enqueuedAtMs),
    "x-opt-message-state": types.wrap_int(STATE_CODES[stored.state]),
    ...more,
  };
  if (stored.deadLetterSource !== undefined)
    own["x-opt-deadletter-source"] = types.wrap_string(stored.deadLetterSource);
  const [theirs] = message.annotations.length > 0 ? splitAnnotations(message.annotations) : [];
  const annotations = encodeAnnotations([...pairsOf(theirs), ...Object.entries(own)]);
  return Buffer.concat([encodeSection(SECTION.header, header), annotations, message.bare]);
}

/** The message with application properties added or replaced; all other bytes stay as they are. */
export function amend(message: Message, changes: PropertyChanges): Message {
  if (Object.keys(changes).length === 0) return message;
  const { bare } = message;
  const sections = splitSections(bare);
  const old = sections.find(({ code }) => code === SECTION.applicationProperties);
  const kept = pairsOf(old).filter(([name]) => !(name in changes));
  const added = Object.entries(changes).map(([name, value]): [string, Typed] => [name, types.wrap(value)]);
  const map = types.wrap_map(Object.fromEntries([...kept, ...added]));
  const start = old?.start ?? sections.find(({ code }) => code > SECTION.applicationProperties)!.start;
  const replaced = encodeSection(SECTION.applicationProperties, map);
  return { ...message, bare: Buffer.concat([bare.subarray(0, start), replaced, bare.subarray(old?.end ?? start)]) };
}

/** Where the properties section has what rules may look at; AMQP 1.0 part 3, section 3.2.4. */
const PROPERTY_INDEXES: readonly (readonly [SystemProperty, number])[] = [
  ["to", 2],
  ["subject", 3],
  ["replyTo", 4],
  ["correlationId", 5],
  ["contentType", 6],
  ["sessionId", 10],
  ["replyToSessionId", 12],
];

/** What the rules of a subscription may look at. The body is not decoded for it. */
export function facets({ bare, messageId }: Message): Facets {
  const sections = splitSections(bare);
  const fields: Typed[] = sections.find(({ code }) => code === SECTION.properties)?.value.value ?? [];
  const present = PROPERTY_INDEXES.flatMap(([name, index]) => {
    const value: unknown = fields[index]?.value;
    return value === undefined || value === null ? [] : [[name, String(value)] as const];
  });
  const properties = pairsOf(sections.find(({ code }) => code === SECTION.applicationProperties));
  return {
    messageId,
    ...Object.fromEntries(present),
    applicationProperties: Object.fromEntries(properties.map(([name, typed]) => [name, typed.value])),
  };
}

function withMessageId(
  bare: Buffer,
  properties: Section | undefined,
  newId: () => string,
): { messageId: string; bytes: Buffer } {
  const fields: Typed[] = properties?.value.value ?? [];
  const given: unknown = fields[0]?.value;
  if (given !== undefined && given !== null && given !== "") {
    return { messageId: Buffer.isBuffer(given) ? given.toString("hex") : String(given), bytes: bare };
  }
  const messageId = newId();
  const section = encodeSection(SECTION.properties, types.wrap_list([messageId, ...fields.slice(1)]));
  const rest = properties ? bare.subarray(properties.end - properties.start) : bare;
  return { messageId, bytes: Buffer.concat([section, rest]) };
}

function encodeAnnotations(pairs: [string, Typed][]): Buffer {
  if (pairs.length === 0) return Buffer.alloc(0);
  return encodeSection(SECTION.messageAnnotations, types.wrap_symbolic_map(Object.fromEntries(pairs)));
}

function splitAnnotations(section: Buffer): Section[] {
  // Annotations are stored alone, and a message may not be without a body: lend them one.
  return splitSections(Buffer.concat([section, EMPTY_BODY]));
}

const EMPTY_BODY = encodeSection(SECTION.value, types.wrap(null));
