/** The moments at which the agent that serves a run is killed, each with what shows that it has come. */
import { setTimeout as pause } from "node:timers/promises";
import type { Relay } from "../../emulators/relay/start.ts";
import type { RunningAgent } from "../../stack/agent.ts";

const LOOK_EVERY_MS = 5;

export interface Scene {
  readonly relay: Relay;
  /** The agent that the orchestrator dials first. */
  readonly victim: RunningAgent;
}

export interface Moment {
  readonly name: string;
  /** Before the run is asked for. */
  prepare(scene: Scene): void;
  /** Settles when it has come; the run is on its way. */
  come(scene: Scene): Promise<void>;
  /** After the kill. */
  clear(scene: Scene): void;
}

const nothing = (): void => undefined;
const pathOf = ({ victim }: Scene): string => `a-${victim.id}`;

/** Rows go through the relay slowly enough to be cut anywhere, and fast enough for a test. */
function slowly(scene: Scene): void {
  scene.relay.faults.link({ path: pathOf(scene), direction: "toSender", bytesPerSecond: 400_000 });
}

/** Settles when so many more bytes than now have come from the agent. */
async function bytesOf({ relay }: Scene, bytes: number): Promise<void> {
  const from = relay.stats().bytesToSender;
  while (relay.stats().bytesToSender < from + bytes) await pause(LOOK_EVERY_MS);
}

const clearFaults = ({ relay }: Scene): void => relay.faults.clear();

export const MOMENTS: readonly Moment[] = [
  {
    name: "before it is dialled",
    prepare: ({ victim }) => void victim.process.kill("SIGKILL"),
    come: async () => undefined,
    clear: nothing,
  },
  {
    name: "when it was asked to come, and has not said hello",
    // Stopped, so that it takes the relay's word and does not answer it.
    prepare: ({ victim }) => void victim.process.kill("SIGSTOP"),
    async come({ relay }) {
      while (relay.stats().waiting === 0) await pause(LOOK_EVERY_MS);
    },
    clear: nothing,
  },
  {
    name: "while its hello is on its way",
    prepare(scene) {
      scene.relay.faults.link({ path: pathOf(scene), direction: "toSender", latencyMs: 1_000 });
    },
    async come({ relay }) {
      const before = relay.stats().sessionsTotal;
      while (relay.stats().sessionsTotal === before) await pause(LOOK_EVERY_MS);
    },
    clear: clearFaults,
  },
  ...[
    ["with its first rows", 20_000],
    ["in the middle of its rows", 700_000],
  ].map(
    ([name, bytes]): Moment => ({
      name: String(name),
      prepare: slowly,
      come: (scene) => bytesOf(scene, Number(bytes)),
      clear: clearFaults,
    }),
  ),
];

/** At any time after the run was asked for. */
export const after = (ms: number): Moment => ({
  name: `after ${ms} ms`,
  prepare: slowly,
  come: () => pause(ms),
  clear: clearFaults,
});
