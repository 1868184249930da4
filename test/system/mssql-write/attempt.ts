/** One write that is struck at a moment that was drawn, and what became of it. */
import { setTimeout as pause } from "node:timers/promises";
import type { SessionInput } from "@sallyport/cloud/src/sessions/session.ts";
import type { WebSocket } from "ws";
import type { RunningAgent, Site } from "../../e2e/agent/site.ts";
import { type Answered, order } from "../../e2e/agent/writer.ts";
import type { Tds } from "../../emulators/tds/start.ts";
import type { Random } from "../crash/random.ts";
import { childrenOf } from "../processes.ts";

/** What is struck: the executor's process, the connection to the server, the connection through the relay. */
export const VICTIMS = ["executor", "server", "relay"] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Strike {
  readonly victim: Victim;
  /** Milliseconds after the request was sealed, or as soon as the server has heard COMMIT. */
  readonly at: number | "commit";
}

/** Half of them fall where it is decided whether the rows are in. */
export const drawStrike = (random: Random, writeMs: number): Strike => ({
  victim: VICTIMS[random.below(VICTIMS.length)]!,
  at: random.next() < 0.5 ? "commit" : Math.floor(random.next() * writeMs * 1.1),
});

export interface Place {
  readonly site: Site;
  readonly agent: RunningAgent;
  readonly tds: Tds;
  readonly credential: { readonly form: "plain"; user: string; password: string; readonly signIn: "sql" };
  readonly input: () => SessionInput;
}

/** Writes once. Where no session comes about it tries again: nothing was asked then. */
export async function writeOnce(place: Place, key: string | undefined, strike?: Strike): Promise<Answered> {
  const over = new AbortController();
  for (;;) {
    try {
      return await order(place.site, {
        connection: "erp",
        credential: place.credential,
        input: place.input(),
        operation: {
          op: "sql.write",
          table: "dbo.Target",
          action: "insert",
          columns: ["Id", "Name"],
          ...(key === undefined ? {} : { idempotencyKey: key }),
        },
        onSocket: (socket) => {
          if (strike !== undefined) void hit(place, strike, socket, over.signal);
        },
      });
    } catch (error) {
      if (!String(error).startsWith("Error: no session")) throw error;
      await pause(200);
    } finally {
      over.abort();
    }
  }
}

async function hit({ agent, tds }: Place, { victim, at }: Strike, socket: WebSocket, over: AbortSignal): Promise<void> {
  if (at === "commit") {
    const from = tds.log.length;
    while (!tds.log.slice(from).some((each) => each.kind === "batch" && each.text.startsWith("COMMIT"))) {
      if (over.aborted) return;
      await pause(1);
    }
  } else await pause(at, undefined, { signal: over }).catch(() => {});
  if (over.aborted) return;
  if (victim === "relay") socket.terminate();
  else if (victim === "server") tds.cut();
  else for (const pid of childrenOf(agent.process.pid!)) process.kill(pid, "SIGKILL");
}

/** Waits until the server has no session of the agent's any more: what was to be committed is. */
export async function settled({ tds }: Place): Promise<void> {
  const count = (kind: "login" | "end"): number =>
    tds.log.filter((each) => each.kind === kind && (each.kind !== "login" || each.result === "ok")).length;
  while (count("end") < count("login")) await pause(5);
}
