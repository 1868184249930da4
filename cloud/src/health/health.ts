/**
 * Whether the orchestrator works, for anybody who asks: a status, and the codes of what is wrong. Whoever has a key sees the
 * numbers and the advice, too. A round of checks answers all callers of the next seconds, and only one is under way: however
 * many ask, the price is one round in 15 seconds, and of the dear checks one in a minute.
 */
import type { HealthDetails, HealthView } from "@sallyport/shared/schema/health.ts";
import { type Check, type Finding, type Looked, quickChecks, slowChecks } from "./checks.ts";
import { HEALTH } from "./codes.ts";

export interface Health {
  view(): Promise<HealthView>;
  details(): Promise<HealthDetails>;
}

const QUICK_MS = 15_000;
const SLOW_MS = 60_000;
/** A check that has not answered by then has found something wrong. */
const CHECK_MS = 5_000;

export interface HealthOptions {
  readonly monotonicMs: () => number;
  readonly log: (what: string, facts: Readonly<Record<string, unknown>>) => void;
  readonly checkMs?: number;
}

export function createHealth(looked: Looked, { monotonicMs, log, checkMs = CHECK_MS }: HealthOptions): Health {
  const rounds = [createRound(quickChecks(looked), QUICK_MS), createRound(slowChecks(looked), SLOW_MS)];

  function createRound(checks: readonly Check[], keptMs: number): () => Promise<readonly Finding[]> {
    let found: Promise<readonly Finding[]> | undefined;
    let fromMs = 0;
    return () => {
      if (found === undefined || monotonicMs() - fromMs >= keptMs) {
        fromMs = monotonicMs();
        found = Promise.all(checks.map(runOne)).then((all) => all.flat());
      }
      return found;
    };
  }

  async function runOne({ code, run }: Check): Promise<readonly Finding[]> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error("no answer")), checkMs);
    try {
      return await Promise.race([run(), late]);
    } catch (thrown) {
      // The cause may hold addresses; it is for the log, and nobody else.
      log("health check failed", { code, error: String(thrown) });
      return [{ code, facts: {} }];
    } finally {
      clearTimeout(timer);
    }
  }

  const findings = async () => (await Promise.all(rounds.map((round) => round()))).flat();
  return {
    async view() {
      const found = await findings();
      return { status: statusOf(found), wrong: found.map(({ code }) => code) };
    },
    async details() {
      const found = await findings();
      const wrong = found.map(({ code, facts }) => ({ code, ...HEALTH[code], facts }));
      return { status: statusOf(found), at: new Date(looked.nowMs()).toISOString(), wrong };
    },
  };
}

function statusOf(found: readonly Finding[]): HealthView["status"] {
  if (found.some(({ code }) => HEALTH[code].means === "failing")) return "failing";
  return found.length > 0 ? "degraded" : "ok";
}
