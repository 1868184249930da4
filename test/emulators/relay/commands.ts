import { z } from "zod";
import type { Relay } from "./start.ts";

/** The relay's faults, entities and counters as messages, for a relay in a process of its own. One answer each: `{ id, value }` or `{ id, error }`. */

const path = z.string().optional();
const times = z.number().int().positive().optional();
const direction = z.enum(["toListener", "toSender"]);
const code = z.number().int().min(1000).max(4999);
const id = z.union([z.string(), z.number()]);

const handshake = z.strictObject({
  path,
  times,
  on: z.enum(["listen", "connect", "rendezvous"]).optional(),
  do: z.enum(["hangBefore101", "hangAfter101", "wrongAcceptHash", "reset", "status"]),
  status: z.number().int().min(300).max(599).optional(),
  reason: z.string().optional(),
});
const accept = z.strictObject({
  path,
  times,
  do: z.enum(["withoutHeaders", "withoutKey", "duplicate", "lose", "forge"]),
  address: z.string().optional(),
});
const message = z.strictObject({
  path,
  times,
  direction,
  nth: z.number().int().positive(),
  do: z.enum(["alter", "drop", "repeat", "reorder"]),
});
const link = z.strictObject({
  path,
  direction: direction.optional(),
  latencyMs: z.number().nonnegative().optional(),
  bytesPerSecond: z.number().nonnegative().optional(),
  fragmentBytes: z.number().int().positive().optional(),
  pings: z.boolean().optional(),
});
const entity = z.strictObject({ path: z.string(), requiresClientAuthorization: z.boolean().optional() });
const frame = z.union([
  z.enum(["notJson", "binary", "oversize", "unknown"]),
  z.strictObject({ text: z.string() }),
  z.strictObject({ base64: z.base64() }).transform(({ base64 }) => ({ binary: Buffer.from(base64, "base64") })),
]);

const command = z.discriminatedUnion("do", [
  z.strictObject({ id, do: z.literal("stats") }),
  z.strictObject({ id, do: z.literal("memory") }),
  z.strictObject({ id, do: z.literal("listening"), path: z.string() }),
  z.strictObject({ id, do: z.literal("putEntity"), entity }),
  z.strictObject({ id, do: z.literal("removeEntity"), path: z.string() }),
  z.strictObject({ id, do: z.literal("handshake"), fault: handshake }),
  z.strictObject({ id, do: z.literal("accept"), fault: accept }),
  z.strictObject({ id, do: z.literal("message"), fault: message }),
  z.strictObject({ id, do: z.literal("link"), fault: link }),
  z.strictObject({ id, do: z.literal("takeBack"), rule: z.number().int() }),
  z.strictObject({ id, do: z.literal("clear") }),
  z.strictObject({
    id,
    do: z.literal("refuseConnections"),
    port: z.enum(["control", "rendezvous"]),
    refuse: z.boolean(),
  }),
  z.strictObject({ id, do: z.literal("closeListeners"), code, path }),
  z.strictObject({ id, do: z.literal("closeSessions"), code, path }),
  z.strictObject({ id, do: z.literal("resetListeners"), path }),
  z.strictObject({ id, do: z.literal("resetSessions"), side: z.enum(["listener", "sender", "both"]).optional(), path }),
  z.strictObject({ id, do: z.literal("freezeListeners"), path }),
  z.strictObject({ id, do: z.literal("recycle"), path }),
  z.strictObject({ id, do: z.literal("controlFrame"), frame, path }),
]);

export type Command = z.input<typeof command>;
export type Answer = { id: string | number | null; value: unknown } | { id: string | number | null; error: string };

/** Returns the function that carries out a command; it never throws. Standing faults answer with a number for `takeBack`. */
export function makeCommands(relay: Relay): (input: unknown) => Promise<Answer> {
  const rules = new Map<number, () => void>();
  let lastRule = 0;
  const standing = (takeBack: () => void) => {
    lastRule += 1;
    rules.set(lastRule, takeBack);
    return lastRule;
  };
  return async (input) => {
    const parsed = command.safeParse(input);
    if (!parsed.success) return { id: idOf(input), error: z.prettifyError(parsed.error) };
    try {
      return { id: parsed.data.id, value: (await carryOut(relay, parsed.data, standing, rules)) ?? null };
    } catch (error) {
      return { id: parsed.data.id, error: String(error) };
    }
  };
}

function idOf(input: unknown): string | number | null {
  const given = z.looseObject({ id }).safeParse(input);
  return given.success ? given.data.id : null;
}

type Standing = (takeBack: () => void) => number;

function carryOut(
  relay: Relay,
  given: z.output<typeof command>,
  standing: Standing,
  rules: Map<number, () => void>,
): unknown {
  const { faults } = relay;
  switch (given.do) {
    case "stats":
      return relay.stats();
    case "memory":
      return { rssBytes: process.memoryUsage.rss() };
    case "listening":
      return relay.listening(given.path);
    case "putEntity":
      return relay.putEntity(given.entity);
    case "removeEntity":
      return relay.removeEntity(given.path);
    case "handshake":
      return standing(faults.handshake(given.fault));
    case "accept":
      return standing(faults.accept(given.fault));
    case "message":
      return standing(faults.message(given.fault));
    case "link":
      return standing(faults.link(given.fault));
    case "takeBack":
      rules.get(given.rule)?.();
      return rules.delete(given.rule);
    case "clear":
      return faults.clear();
    case "refuseConnections":
      return faults.refuseConnections(given.port, given.refuse);
    case "closeListeners":
      return faults.closeListeners(given.code, given.path);
    case "closeSessions":
      return faults.closeSessions(given.code, given.path);
    case "resetListeners":
      return faults.resetListeners(given.path);
    case "resetSessions":
      return faults.resetSessions(given.side, given.path);
    case "freezeListeners":
      return faults.freezeListeners(given.path);
    case "recycle":
      return faults.recycle(given.path);
    case "controlFrame":
      return faults.controlFrame(given.frame, given.path);
    default:
      return given satisfies never;
  }
}
