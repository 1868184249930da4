/** Working a lane as the world does: a tick every second, runs by hand, and a look at what became of them. */
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../processes.ts";
import type { Host } from "./host.ts";
import type { Lane } from "./lane.ts";
import { ORDERS_READ } from "./orders.ts";

const TICK_MS = 1000;
/** A call that a dead host does not answer, or a paused one. */
const CALL_MS = 15_000;
/** No run may take longer, whatever is killed; many kills can meet one run. */
export const STUCK_MS = 180_000;
const LOOK_MS = 250;

/** Rings a host's scheduler every second, whatever it answers, until the function that it answers is called. */
export function keepTicking(host: Host): () => Promise<void> {
  const stop = new AbortController();
  const work = (async () => {
    while (!stop.signal.aborted) {
      await host.api("POST", "/schedule/tick", {}, CALL_MS).catch(() => undefined);
      await pause(TICK_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return async () => {
    stop.abort();
    await work;
  };
}

/** Starts a run by hand, over again where the call died before it left a run behind. Answers the run's key. */
export async function startRun(lane: Lane, host: Host = lane.host): Promise<string> {
  const { store, key } = lane;
  const newest = async () => (await store.runs.runs(key, 1))[0]?.id;
  const before = await newest();
  return until(
    `${lane.name}: a run is started`,
    async () => {
      await host.up();
      const path = `/tenants/${key.tenant}/pulls/${key.pull}/runs`;
      await host.api("POST", path, { kind: "manual" }, CALL_MS).catch(() => undefined);
      const run = await newest();
      return run !== before && run;
    },
    STUCK_MS,
  );
}

/** Waits until the pull has nothing more to do: no run is active or queued, and every event was told. */
export async function quiet(lane: Lane): Promise<void> {
  const { store, key } = lane;
  await until(
    `${lane.name}: every run ends`,
    async () => {
      await pause(LOOK_MS);
      const cursor = await store.runs.cursor(key);
      if (cursor?.value.activeRun !== null) return false;
      const [queued, outs] = await Promise.all([store.runs.queued(key), store.runs.outs(key, 1)]);
      return queued.length === 0 && outs.length === 0;
    },
    STUCK_MS,
  );
}

/** Rows enough for a read that lasts over several checkpoints, a hand-over and some renewals. */
const SLOW_ROWS = 500;
const EVERY_ROWS = 25;
const ROW_DELAY_MS = 250;

/** One run with changes before it; a slow one takes about five seconds of reading. */
export async function runOnce(lane: Lane, { slow = false, rows = 60 } = {}): Promise<string> {
  await lane.orders.change(10, slow ? Math.max(rows, SLOW_ROWS) : rows);
  const fault = { kind: "slowRows", everyRows: EVERY_ROWS, delayMs: ROW_DELAY_MS } as const;
  const end = slow ? lane.tds.faults.add(fault, { statement: ORDERS_READ }) : () => undefined;
  try {
    const run = await startRun(lane);
    await quiet(lane);
    return run;
  } finally {
    end();
  }
}
