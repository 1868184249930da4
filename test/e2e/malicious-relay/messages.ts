/** The relay alters, drops, repeats and reorders what passes through it, in both directions. */
import assert from "node:assert/strict";
import type { MessageFault } from "../../emulators/relay/fault-rules.ts";
import { until } from "../../system/processes.ts";
import type { Attack } from "./attack.ts";
import type { World } from "./world.ts";

interface Expected {
  /** What the orchestrator makes of it. */
  readonly orchestrator: string | readonly string[];
  /** What the agent's journal says; left out where the agent's end is not the one that noticed. */
  readonly agent?: string;
  readonly alert?: string;
}

const REFUSED: ReadonlySet<string> = new Set(["protocol.integrity", "protocol.order", "protocol.truncated"]);

function tampered(rule: Attack["rule"], fault: Omit<MessageFault, "times">, expected: Expected): Attack {
  const what = fault.nth === 1 ? (fault.direction === "toSender" ? "hello" : "request") : `message ${fault.nth}`;
  return {
    rule,
    name: `${fault.do}: the ${what} ${fault.direction === "toSender" ? "to the orchestrator" : "to the agent"}`,
    async run(world) {
      const { relay } = world.site;
      // Or what is left of the last one's messages would be tampered with in place of this one's.
      await until("no session is left", () => relay.stats().sessionsOpen === 0);
      const alerts = world.alerts.length;
      const lines = world.site.journal().length;
      const before = relay.stats();
      const stop = relay.faults.message({ ...fault, times: 1 });
      try {
        const read = world.read();
        // One that is lost makes both ends wait; a relay ends that by closing, long before their own patience does.
        if (fault.do === "drop" && fault.nth === 1) await closeWhenLost(world, fault, before);
        const outcome = await read.outcome;
        assert.ok(!outcome.ok, "a session that was tampered with was taken for whole");
        assert.ok([expected.orchestrator].flat().includes(outcome.code), outcome.code);
        assert.ok(read.rows() <= world.rows);
        assert.deepEqual(world.alerts.slice(alerts), expected.alert === undefined ? [] : [expected.alert]);
        const line = await world.site.journaled(
          ({ seq, event, request }) =>
            Number(seq) > lines && ((event === "end" && request === read.id) || event === "session"),
        );
        if (expected.agent !== undefined) assert.equal(line.code, expected.agent);
        else assert.ok(REFUSED.has(String(line.code)), String(line.code));
      } finally {
        stop();
      }
    },
  };
}

async function closeWhenLost(
  { site }: World,
  { direction }: Omit<MessageFault, "times">,
  before: ReturnType<World["site"]["relay"]["stats"]>,
): Promise<void> {
  const { relay } = site;
  await until("the session begins", () => relay.stats().sessionsTotal > before.sessionsTotal);
  // Counted from before the session began: its hello can be here before anyone looks a second time.
  if (direction === "toListener") {
    await until("the hello passes", () => relay.stats().messagesToSender > before.messagesToSender);
  }
  relay.faults.closeSessions(1011);
}

const TO_AGENT = "toListener" as const;
const TO_ORCHESTRATOR = "toSender" as const;

/** Frames after the first: in each direction the next one shows what is missing, doubled or out of its place. */
const frames = (["alter", "drop", "repeat", "reorder"] as const).flatMap((act): Attack[] => [
  tampered("P4.15", { direction: TO_ORCHESTRATOR, nth: 2, do: act }, { orchestrator: "protocol.integrity" }),
  tampered("P4.15", { direction: TO_ORCHESTRATOR, nth: 5, do: act }, { orchestrator: "protocol.integrity" }),
  tampered(
    "P4.15",
    { direction: TO_AGENT, nth: 2, do: act },
    { orchestrator: "protocol.truncated", agent: "protocol.integrity" },
  ),
]);

export const MESSAGE_ATTACKS: readonly Attack[] = [
  tampered(
    "P4.7",
    { direction: TO_ORCHESTRATOR, nth: 1, do: "alter" },
    { orchestrator: "protocol.hello", alert: "hello refused: signature" },
  ),
  // Before the request is sealed there is nothing that it could be; after that it is a frame that does not open.
  tampered(
    "P4.1",
    { direction: TO_ORCHESTRATOR, nth: 1, do: "repeat" },
    { orchestrator: ["protocol.truncated", "protocol.integrity"] },
  ),
  tampered("P4.22", { direction: TO_ORCHESTRATOR, nth: 1, do: "drop" }, { orchestrator: "protocol.truncated" }),
  tampered(
    "P4.9",
    { direction: TO_AGENT, nth: 1, do: "alter" },
    { orchestrator: "protocol.truncated", agent: "protocol.integrity" },
  ),
  tampered(
    "P4.13",
    { direction: TO_AGENT, nth: 1, do: "repeat" },
    { orchestrator: "protocol.truncated", agent: "protocol.order" },
  ),
  tampered(
    "P4.22",
    { direction: TO_AGENT, nth: 1, do: "drop" },
    { orchestrator: "protocol.truncated", agent: "protocol.truncated" },
  ),
  ...frames,
];
