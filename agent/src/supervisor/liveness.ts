/**
 * Whether this agent still receives. The orchestrator's canary, and every other request, shows that it does; an agent
 * that has heard nothing for a while asks what was sent. A connection that looks up and delivers nothing is so noticed, and
 * an orchestrator that sends nothing is no reason to do anything.
 */
import type { AgentHealth } from "@sallyport/shared/schema/liveness.ts";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";

/** Misses in a row after which the control channel is built anew, and after which the process ends. */
const REBUILD_AFTER = 3;
const GIVE_UP_AFTER = 6;
/** A canary may be on its way for so long before it counts as missed. */
const ON_ITS_WAY_MS = 10_000;

export interface LivenessState {
  /** When a canary, or another request, was last heard; null since the start. */
  readonly heardAt: string | null;
  readonly canaryAt: string | null;
  /** Canaries in a row that were sent and did not arrive. */
  readonly missed: number;
}

export interface Liveness {
  readonly state: LivenessState;
  /** A request of this id was opened, or its canary was turned down by us: the way from the orchestrator to here works. */
  heard(request: string, canary: boolean): void;
  /** Runs until the signal, or until too many were missed; never rejects. */
  run(signal: AbortSignal): Promise<"stopped" | "unreached">;
}

export interface LivenessDeps {
  /** The orchestrator's word; undefined when it did not answer, which counts for nothing. */
  readonly ask: (signal: AbortSignal) => Promise<AgentHealth | undefined>;
  /** How often the orchestrator promises a canary to an agent that serves nothing. */
  readonly canarySeconds: () => number;
  readonly rebuild: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createLiveness(deps: LivenessDeps): Liveness {
  const { clock, log } = deps;
  let heardMs = clock.monotonicMs();
  let askedMs = Number.NEGATIVE_INFINITY;
  let lastHeard: string | undefined;
  let lastMissed: string | undefined;
  let state: LivenessState = { heardAt: null, canaryAt: null, missed: 0 };

  /** Asks after one and a half periods of silence, then once a period: an agent that is reached never asks. */
  const nextMs = (): number => {
    const periodMs = deps.canarySeconds() * 1000;
    return Math.max(heardMs + 1.5 * periodMs, askedMs + periodMs);
  };

  const judge = ({ serverTime, canary }: AgentHealth): void => {
    if (canary === null || canary.id === lastHeard || canary.id === lastMissed) return;
    // Both times are the orchestrator's, so only their difference counts, and no clock of ours is asked for the time.
    const ageMs = Date.parse(serverTime) - Date.parse(canary.sentAt);
    if (ageMs >= clock.monotonicMs() - heardMs) return;
    if (ageMs < ON_ITS_WAY_MS) {
      askedMs += ON_ITS_WAY_MS - deps.canarySeconds() * 1000;
      return;
    }
    lastMissed = canary.id;
    state = { ...state, missed: state.missed + 1 };
    log.warn({ missed: state.missed, canary: canary.id }, "a canary was sent and did not arrive");
    if (state.missed !== REBUILD_AFTER) return;
    log.error("canaries do not arrive although the channel looks open: it is built anew");
    deps.rebuild();
  };

  return {
    get state() {
      return state;
    },
    heard(request, canary) {
      heardMs = clock.monotonicMs();
      lastHeard = request;
      const at = new Date(clock.wallMs()).toISOString();
      state = { heardAt: at, canaryAt: canary ? at : state.canaryAt, missed: 0 };
    },
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = nextMs() - clock.monotonicMs();
        if (waitMs > 0) {
          await clock.sleep(waitMs, signal).catch(() => {});
          continue;
        }
        askedMs = clock.monotonicMs();
        const answer = await deps.ask(signal).catch((error: Error) => {
          if (!signal.aborted) log.error({ why: error.message }, "the orchestrator could not be asked what it sent");
        });
        if (answer) judge(answer);
        if (state.missed < GIVE_UP_AFTER) continue;
        log.error("no canary arrives, whatever is done: this process ends, for its service to start another");
        return "unreached";
      }
      return "stopped";
    },
  };
}
